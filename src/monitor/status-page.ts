import { createHash } from 'node:crypto';
import { statusPageScript } from './status-page-script.ts';
import { statusPageStyle } from './status-page-style.ts';

function sourceOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** Content security policy of the page: nothing but its own style and script, and questions to its own host. */
export const statusPagePolicy = [
  "default-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "connect-src 'self'",
  'img-src data:',
  `script-src ${sourceOf(statusPageScript)}`,
  `style-src ${sourceOf(statusPageStyle)}`,
].join('; ');

/** The page that a browser gets at `/`: one file without external parts; it asks `/status` every second. */
export const statusPageHtml = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Oplogue</title>
<link rel="icon" href="data:,">
<style>${statusPageStyle}</style>
</head>
<body>
<header>
<h1>Oplogue</h1><span id="who"></span><span id="status" class="pill" role="status">…</span>
</header>
<p id="problems" role="alert" hidden></p>
<main id="sources"></main>
<section id="memory" class="cards"></section>
<footer><nav aria-label="JSON pages">
<a href="/status">status</a> <a href="/repl">repl</a> <a href="/worker">worker</a> <a href="/queue">queue</a>
<a href="/persist">persist</a> <a href="/conf">conf</a> <a href="/sentinel">sentinel</a>
<a href="/metrics">metrics</a> <a href="/healthz">healthz</a>
</nav></footer>
<noscript><p>This page needs JavaScript; the pages below it do not.</p></noscript>
<script>${statusPageScript}</script>
</body>
</html>
`;
