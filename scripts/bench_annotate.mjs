// Puts the figures of answering together: what the browser measured, the keystroke-level model, and claims.
import { readFileSync, writeFileSync } from 'node:fs';

const [figuresFile, claimsFile, out] = process.argv.slice(2);
const figures = JSON.parse(readFileSync(figuresFile, 'utf8'));
const { claims } = JSON.parse(readFileSync(claimsFile, 'utf8'));
const { key_to_paint_ms, single, grid } = figures;

// The keystroke-level model: seconds a key, a pointing with the mouse, a mental step.
const KEY = 0.2;
const POINTING = 1.1;
const MENTAL = 1.35;
const ATTRIBUTES = 3;
// Label Studio: one hotkey per choice, then Ctrl+Enter, which is two keys.
const LABEL_STUDIO_KEYS = ATTRIBUTES + 2;

const round = (value, digits) => Number(value.toFixed(digits));
const seconds = (keys, pointings, mental) => round(keys * KEY + pointings * POINTING + mental * MENTAL, 3);
const presses = { single: single.presses / single.photos, ...(grid && { grid: grid.presses / grid.photos }) };
const klm = {
  single: seconds(presses.single, 0, ATTRIBUTES),
  ...(grid && {
    grid: seconds(presses.grid, grid.pointings / grid.photos, (grid.screens + grid.exceptions) / grid.photos),
  }),
  label_studio: seconds(LABEL_STUDIO_KEYS, 0, ATTRIBUTES),
};
const result = {
  key_to_paint_ms: { ...key_to_paint_ms, p50: round(key_to_paint_ms.p50, 1), p99: round(key_to_paint_ms.p99, 1), max: round(key_to_paint_ms.max, 1) },
  key_presses_per_photo: { single: round(presses.single, 3), ...(grid && { grid: round(presses.grid, 3) }) },
  klm_seconds_per_photo: klm,
  claims,
  counted: {
    single,
    grid: grid ?? null,
    truth: "demo/truth.csv: where the demo's two annotators agree, their answer; where they differ, a third look under the guidelines. Written for this project.",
    suggestions:
      'EfficientNet-Lite0, pretrained, heads on the demo labels frozen with the defaults, 100 epochs at a learning rate of 0.05, 320 pixels, mirrored photos averaged, "not visible" learnt; five folds of all photos: each photo is suggested what a fold that has not seen it says, weighed with the breed standards',
  },
};
writeFileSync(out, `${JSON.stringify(result, null, 2)}\n`);
const ms = result.key_to_paint_ms;
console.log(`key to paint      p50 ${ms.p50} ms, p99 ${ms.p99} ms (${ms.photos} photos, ${ms.latency_ms} ms network latency)`);
console.log(`keys a photo      ${Object.entries(result.key_presses_per_photo).map(([view, n]) => `${view} ${n}`).join(', ')}`);
console.log(`seconds a photo   ${Object.entries(klm).map(([view, s]) => `${view} ${s}`).join(', ')} (keystroke-level model, three attributes)`);
if (grid) {
  const cause = { not_visible: 'truly not visible', unsure: 'truly unsure', wrong_value: 'another value', visible: '"not visible", but it is' };
  console.log(`grid              ${grid.screens} screens, ${grid.exceptions} exceptions among ${grid.photos * ATTRIBUTES} answers`);
  for (const [attribute, causes] of Object.entries(grid.causes)) {
    const told = Object.entries(causes).filter(([, n]) => n > 0).map(([key, n]) => `${n} ${cause[key]}`);
    console.log(`  ${attribute.padEnd(16)}${told.join(', ') || 'none'}`);
  }
}
for (const claim of claims) {
  console.log(`claims            ${claim.photos} photos, ${claim.clients} clients: ${claim.per_second} a second, p99 ${claim.p99_ms} ms`);
}
console.log(`truth             ${result.counted.truth}`);
