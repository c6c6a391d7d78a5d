/**
 * Script of the status page, for the browser. It builds elements and sets their text, never HTML, because names
 * of replica sets and error texts come from outside.
 */
export const statusPageScript = `
'use strict';
const points = 120;
const history = new Map();
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
function shape(tag, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
function duration(seconds) {
  if (seconds === null) return 'unknown';
  if (seconds < 10) return seconds.toFixed(1) + ' s';
  if (seconds < 120) return Math.round(seconds) + ' s';
  if (seconds < 7200) return Math.round(seconds / 60) + ' min';
  if (seconds < 172800) return (seconds / 3600).toFixed(1) + ' h';
  return (seconds / 86400).toFixed(1) + ' days';
}
function millis(ms) {
  if (ms === null) return '–';
  return ms < 1000 ? Math.round(ms) + ' ms' : (ms / 1000).toFixed(1) + ' s';
}
function mebibytes(bytes) {
  return (bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0) + ' MiB';
}
function bar(share, low) {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return shape('svg', { class: 'bar', viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    shape('rect', { class: 'track', width: 100, height: 6 }),
    shape('rect', { class: low ? 'fill low' : 'fill', width, height: 6 }));
}
function card(label, value, note, extra) {
  const made = element('div', 'card', element('div', 'label', label), element('div', 'value', value));
  if (note) made.append(element('div', 'note', note));
  if (extra) made.append(extra);
  return made;
}
function chart(values, top) {
  const from = points - values.length;
  const line = values.map((v, i) => ((from + i) * 600 / (points - 1)).toFixed(1) + ',' + (106 - v / top * 100).toFixed(1));
  const start = (from * 600 / (points - 1)).toFixed(1);
  const svg = shape('svg', { viewBox: '0 0 600 110', preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Entries per second' });
  svg.append(shape('path', { class: 'area', d: 'M' + start + ',108 L' + line.join(' L') + ' L600,108 Z' }),
    shape('polyline', { class: 'stroke', points: line.join(' ') }));
  return svg;
}
function rateCard(source) {
  const values = history.get(source.name) ?? [];
  values.push(source.entries_per_second);
  if (values.length > points) values.shift();
  history.set(source.name, values);
  const peak = Math.max(...values);
  const made = card('Entries per second', number.format(source.entries_per_second),
    'last two minutes, peak ' + number.format(peak), chart(values, Math.max(peak, 1)));
  made.classList.add('wide');
  return made;
}
function lanesTable(lanes) {
  const head = element('tr', '', ...['Lane', 'Entries', 'In flight', 'Batches', 'Acknowledged up to'].map((t) => element('th', '', t)));
  const rows = lanes.map((lane) => element('tr', '', ...[String(lane.lane), number.format(lane.entries),
    number.format(lane.entries_in_flight), number.format(lane.batches_in_flight), lane.last_durable || '–']
    .map((t) => element('td', '', t))));
  return element('div', 'scroll', element('table', '', element('thead', '', head), element('tbody', '', ...rows)));
}
const tones = { streaming: 'good', failed: 'bad', stalled: 'bad', paused: 'warn', standby: 'warn' };
function sourceSection(source) {
  const ratio = source.oplog_window_left_ratio;
  const kept = source.checkpoint_age_seconds === 0 ? 'up to date' : duration(source.checkpoint_age_seconds) + ' behind';
  const cards = element('div', 'cards',
    rateCard(source),
    card('Lag', duration(source.lag_seconds), source.tunnel_trouble || 'oldest entry not yet delivered'),
    card('Latency', millis(source.latency_p50_ms), 'median; 99 %: ' + millis(source.latency_p99_ms)),
    card('Oplog window left', ratio === null ? 'unknown' : Math.round(ratio * 100) + ' %', duration(source.oplog_window_left_seconds),
      ratio === null ? undefined : bar(ratio, ratio < 0.2)),
    card('Checkpoint', source.last_checkpoint ? kept : 'none yet',
      (source.last_checkpoint || 'nothing is stored') + (source.checkpoint_failures ? ', ' + source.checkpoint_failures + ' failures' : '')),
    card('Entries', number.format(source.entries_durable), 'delivered; read ' + number.format(source.entries_read) +
      ', filtered ' + number.format(source.entries_filtered)),
    card('Retries', number.format(source.send_retries), 'sends; source reconnects ' + number.format(source.source_reconnects)));
  const head = element('div', 'source-head', element('h2', '', source.name),
    element('span', 'pill ' + (tones[source.state] ?? ''), source.state),
    element('span', 'note', source.reason || 'running for ' + duration(source.uptime_seconds)));
  return element('section', 'source', head, cards, lanesTable(source.lanes));
}
function setStatus(text, tone) {
  byId('status').textContent = text;
  byId('status').className = 'pill ' + tone;
}
function show(page) {
  byId('who').textContent = page.id + ', ' + page.version;
  document.title = page.id + ' – Oplogue';
  setStatus(page.status, page.status === 'ok' ? 'good' : 'bad');
  const problems = page.problems.join('\\n');
  if (byId('problems').textContent !== problems) byId('problems').textContent = problems;
  byId('problems').hidden = page.problems.length === 0;
  byId('sources').replaceChildren(...page.sources.map(sourceSection));
  const memory = page.memory;
  byId('memory').replaceChildren(
    card('Buffered', mebibytes(memory.used_bytes), 'of ' + mebibytes(memory.limit_bytes) + ', peak ' + mebibytes(memory.peak_bytes),
      bar(memory.used_bytes / memory.limit_bytes, memory.used_bytes > memory.limit_bytes)),
    card('Process memory', mebibytes(memory.rss_bytes), 'resident'));
}
async function refresh() {
  try {
    const reply = await fetch('/status', { signal: AbortSignal.timeout(5000) });
    if (!reply.ok) throw new Error('status ' + reply.status);
    show(await reply.json());
    document.body.classList.remove('away');
  } catch {
    document.body.classList.add('away');
    setStatus('no answer', 'bad');
  }
  setTimeout(refresh, 1000);
}
void refresh();
`;
