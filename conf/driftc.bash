# driftc.bash - completion of commands, options, models and requests for bash.
# Models and requests are asked of the daemon, briefly; without one there is nothing to offer.

_driftc_names() { # COMMAND MEMBER: the values of a member in the daemon's answer
    driftc --json --timeout 1 $1 2>/dev/null | tr '{},' '\n' | sed -n "s/^\"$2\":\"\([^\"]*\)\"$/\1/p"
}

_driftc() {
    local word=${COMP_WORDS[COMP_CWORD]} command= i
    local commands
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --socket | -s | --timeout | -t) i=$((i + 1)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    if [[ -z $command ]]; then
        if [[ $word == -* ]]; then
            COMPREPLY=($(compgen -W "--socket --json --timeout --help --version" -- "$word"))
        else
            commands=$(driftc help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
            COMPREPLY=($(compgen -W "$commands" -- "$word"))
        fi
        return
    fi
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$(driftc help "$command" 2>/dev/null | grep -o -e '--[a-z][a-z-]*')" -- "$word"))
        return
    fi
    case $command in
    model | explain | retrain | models | watch | top | silence | unsilence)
        COMPREPLY=($(compgen -W "$(_driftc_names 'models --limit 200' model)" -- "$word"))
        ;;
    request | cancel | requeue)
        COMPREPLY=($(compgen -W "$(_driftc_names requests id)" -- "$word"))
        ;;
    log-level)
        COMPREPLY=($(compgen -W "debug info warning error" -- "$word"))
        ;;
    help)
        COMPREPLY=($(compgen -W "$(driftc help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')" -- "$word"))
        ;;
    *)
        COMPREPLY=($(compgen -f -- "$word"))
        ;;
    esac
}

complete -o filenames -F _driftc driftc
