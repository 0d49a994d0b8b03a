// From a key press to the paint of the next photo, measured in the page itself.
import { Page } from '@playwright/test';

declare global {
  interface Window {
    kenamiPaints: number[];
    kenamiPresses: number;
  }
}

/**
 * Counts key presses, and takes for each photo the time from the key press that completes it (`timeStamp`: when the browser
 * got it) until the next photo is shown, decoded and painted. Call it before the page is opened.
 *
 * The frame in which the next photo is found shown ends with its paint; a message that is posted in it comes after that. The
 * photo's `decode()` must be done, too: else the paint would be one of an empty place.
 */
export async function watchPaints(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.kenamiPaints = [];
    window.kenamiPresses = 0;
    const shown = () => document.querySelector<HTMLImageElement>('.stage-photo-shown');
    let last = 0;
    let before: string | null = null;
    let watching = false;
    const look = () => {
      const photo = shown();
      if (!photo || photo.src === before) {
        requestAnimationFrame(look);
        return;
      }
      watching = false;
      const begun = last;
      const painted = new Promise<number>((done) => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => done(performance.now());
        channel.port2.postMessage(null);
      });
      const decoded = photo.decode().then(() => performance.now());
      void Promise.all([painted, decoded]).then((ends) => window.kenamiPaints.push(Math.max(...ends) - begun));
    };
    addEventListener(
      'keydown',
      (event) => {
        window.kenamiPresses += 1;
        const photo = shown();
        if (!photo) return;
        last = event.timeStamp;
        before = photo.src;
        if (!watching) {
          watching = true;
          requestAnimationFrame(look);
        }
      },
      { capture: true },
    );
  });
}

/** As if the server were this many milliseconds away. */
export async function farAway(page: Page, latency: number): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', { offline: false, latency, downloadThroughput: -1, uploadThroughput: -1 });
}

/** The value below which the share `at` of the sorted figures lies (nearest rank). */
export function percentile(figures: number[], at: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(at * sorted.length) - 1)];
}
