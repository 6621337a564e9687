// draw.js - elements, and lines drawn into SVG. Text only ever goes in as text: names come from the network.

const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function drawn(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

// From the lowest to the highest of the values and the limits, with some air.
function scaleOf(values, limits, height, air) {
  const all = values.concat(limits).filter(isNumber);
  if (!all.length) return null;
  let low = Math.min(...all), high = Math.max(...all);
  if (low === high) { const by = Math.abs(low) * 0.05 || 1; low -= by; high += by; }
  const by = (high - low) * 0.06;
  low -= by; high += by;
  const y = (value) => air + (height - 2 * air) * (1 - (value - low) / (high - low));
  return { low, high, y };
}

const round = (number) => Math.round(number * 10) / 10;

// A sparkline of its own element: update(values, min, max) moves it.
export function sparkline(width, height) {
  const lines = [drawn("path", { class: "limit" }), drawn("path", { class: "limit" })];
  const path = drawn("path", { class: "spark" });
  const dot = drawn("circle", { class: "dot", r: 2.4 });
  const svg = drawn("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...lines, path, dot);
  svg.update = (values, min, max) => {
    const scale = scaleOf(values, [min, max], height, 3);
    const step = (width - 6) / Math.max(1, values.length - 1);
    let d = "", last = null;
    values.forEach((value, i) => {
      if (!isNumber(value) || !scale) return;
      last = [round(2 + i * step), round(scale.y(value))];
      d += (d ? "L" : "M") + last[0] + " " + last[1];
    });
    setAttribute(path, "d", d);
    [min, max].forEach((limit, i) => setAttribute(lines[i], "d", isNumber(limit) && scale
      ? `M0 ${round(scale.y(limit))}H${width}` : ""));
    setAttribute(dot, "cx", last ? last[0] : -9);
    setAttribute(dot, "cy", last ? last[1] : -9);
  };
  return svg;
}

const STEPS_S = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800];

export function shortNumber(value) {
  if (!isNumber(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e9) return (value / 1e9).toPrecision(3) + " G";
  if (size >= 1e6) return (value / 1e6).toPrecision(3) + " M";
  if (size >= 10000) return Math.round(value).toLocaleString("en");
  if (size >= 100 || Number.isInteger(value)) return String(Math.round(value * 10) / 10);
  return String(Number(value.toPrecision(3)));
}

export function clockText(seconds, withDay) {
  const date = new Date(seconds * 1000);
  const text = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  if (!withDay) return text;
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((n) => String(n).padStart(2, "0")).join("-");
  return day + " " + text;
}

// Values over time, with limits, spans (what was under way) and marks (what happened).
export function timeChart({ points, min, max, from, to, spans, marks, label }) {
  const narrow = innerWidth < 720; // drawn for a phone, not made small for it
  const width = narrow ? 350 : 640, height = 210, left = 46, right = 10, top = 14, bottom = 24;
  const svg = drawn("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  const scale = scaleOf(points.map((point) => point[1]), [min, max], height - top - bottom, 4);
  const x = (t) => left + (width - left - right) * (t - from) / Math.max(1e-9, to - from);
  const y = (value) => top + scale.y(value);
  const inside = (t) => Math.min(Math.max(t, from), to);
  for (const span of spans) {
    if (span.to < from || span.from > to) continue;
    const a = x(inside(span.from)), b = x(inside(span.to));
    svg.append(drawn("rect", { class: "band", x: round(a), y: top, width: round(Math.max(2, b - a)), height: height - top - bottom },
      drawn("title", {}, span.text)));
  }
  if (scale) {
    for (let i = 0; i <= 3; i++) {
      const value = scale.low + (scale.high - scale.low) * i / 3;
      svg.append(drawn("path", { class: "grid", d: `M${left} ${round(y(value))}H${width - right}` }));
      svg.append(drawn("text", { x: left - 6, y: round(y(value)) + 4, "text-anchor": "end" }, shortNumber(value)));
    }
  }
  const wanted = (to - from) / (narrow ? 3 : 5), step = STEPS_S.find((s) => s >= wanted) || 604800;
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
    const text = clockText(t, step >= 86400);
    svg.append(drawn("text", { x: Math.min(round(x(t)), width - 24), y: height - 7, "text-anchor": "middle" }, step >= 60 && step < 86400 ? text.slice(0, 5) : text));
    svg.append(drawn("path", { class: "grid", d: `M${round(x(t))} ${height - bottom}v4` }));
  }
  let before = [-99, 0]; // where the last label stands: neighbours go one line down
  for (const mark of [...marks].sort((a, b) => a.at - b.at)) {
    if (mark.at < from || mark.at > to) continue;
    const at = round(x(mark.at));
    svg.append(drawn("path", { class: "mark " + (mark.kind || ""), d: `M${at} ${top}V${height - bottom}` }, drawn("title", {}, mark.text)));
    if (!mark.short) continue;
    before = [at, at - before[0] < 60 ? (before[1] + 1) % 4 : 0];
    const late = at > width - 80;
    svg.append(drawn("text", { class: "mark-text", x: late ? at - 3 : at + 3, y: top + 10 + 12 * before[1], "text-anchor": late ? "end" : "start" }, mark.short));
  }
  for (const [limit, name] of [[min, "min"], [max, "max"]]) {
    if (!isNumber(limit) || !scale) continue;
    svg.append(drawn("path", { class: "limit", d: `M${left} ${round(y(limit))}H${width - right}` }));
    svg.append(drawn("text", { class: "limit-text", x: width - right, y: round(y(limit)) - 4, "text-anchor": "end" }, `${name} ${shortNumber(limit)}`));
  }
  let d = "", previous = null;
  for (const [t, value] of points) {
    if (!isNumber(value) || t < from || t > to) { previous = null; continue; }
    d += (previous !== null && t - previous < 120 ? "L" : "M") + round(x(t)) + " " + round(y(value));
    previous = t;
  }
  svg.append(drawn("path", { class: "spark", d }));
  const last = points.length ? points[points.length - 1] : null;
  if (last && isNumber(last[1])) svg.append(drawn("circle", { class: "dot" + ((isNumber(min) && last[1] < min) || (isNumber(max) && last[1] > max) ? " out" : ""), r: 3.2, cx: round(x(last[0])), cy: round(y(last[1])) }));
  if (!points.length) svg.append(drawn("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "nothing yet"));
  return svg;
}
