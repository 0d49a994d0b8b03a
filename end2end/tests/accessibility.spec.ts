// Every page without a violation that axe knows, in both languages, light and dark; everything by keyboard; little motion for
// those who ask for it.
import { Browser, BrowserContext, expect, Page, test } from '@playwright/test';
import { readFileSync } from 'node:fs';

import { Kenami } from '../support/kenami';
import { newcomer, open, PASSWORD } from '../support/people';
import { furnish, OWNER, stops, visit } from '../support/tour';

test.setTimeout(600_000);

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

let kenami: Kenami;
let project: string;

test.beforeAll(async ({ browser }) => {
  kenami = await Kenami.start();
  await kenami.demoLoaded();
  project = `${kenami.url}/p/pets-demo`;
  await furnish(kenami, browser);
});

test.afterAll(async () => kenami?.dispose());

/** A page signed in as the owner, whose browser asks for `locale`. */
async function owner(browser: Browser, locale: string): Promise<{ context: BrowserContext; page: Page }> {
  const { viewport, hasTouch, isMobile } = test.info().project.use;
  const context = await browser.newContext({ viewport, hasTouch, isMobile, locale });
  const page = await context.newPage();
  await page.goto(`${kenami.url}/sign-in`);
  await page.locator('#name').fill(OWNER);
  await page.locator('#password').fill(PASSWORD);
  await page.locator('form[action="/auth/sign-in"] button').click();
  await expect(page.locator('a[href="/account"]')).toBeVisible();
  return { context, page };
}

/** What axe finds on a page, in light and in dark, as a list for people. */
async function violations(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(AXE);
    const results = await page.evaluate(async () => {
      const axe = (window as unknown as { axe: { run: (options: object) => Promise<any> } }).axe;
      const { violations } = await axe.run({ resultTypes: ['violations'] });
      return violations.flatMap((v: any) => v.nodes.map((n: any) => `${v.id}: ${n.target.join(' ')}: ${n.failureSummary.replace(/\s+/g, ' ')}`));
    });
    found.push(...results.map((result: string) => `${colorScheme}: ${result}`));
  }
  return found;
}

for (const locale of ['en-US', 'ja-JP']) {
  test(`axe finds no violation on any page (${locale})`, async ({ browser }) => {
    const { context, page } = await owner(browser, locale);
    for (const stop of stops()) {
      await test.step(stop.name, async () => {
        await visit(page, kenami.url, stop);
        expect.soft(await violations(page), stop.name).toEqual([]);
      });
    }
    await context.close();
    const stranger = await newcomer(browser);
    for (const path of ['/sign-in', '/sign-in?error=credentials', '/join/no-such-link', '/p/pets-demo/runs?x=1']) {
      await open(stranger.page, `${kenami.url}${path}`);
      expect.soft(await violations(stranger.page), path).toEqual([]);
    }
    await stranger.context.close();
  });
}

/** What has the focus, with the place in the document that tells it from others; null outside of the page. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const all = [...document.querySelectorAll('*')];
    const style = getComputedStyle(element);
    return {
      place: all.indexOf(element),
      name: `${element.tagName.toLowerCase()}.${element.className} ${(element.textContent ?? '').trim().slice(0, 30)}`,
      kind: `${element.tagName.toLowerCase()}.${element.className}`,
      // The attribute in focus has a bar and a ground of its own.
      ringed: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || element.matches('.ask-in-focus'),
      inDialog: !!element.closest('dialog[open]'),
    };
  });

/** Everything that a keyboard should reach. */
const reachable = (page: Page) =>
  page.evaluate(() => {
    const all = [...document.querySelectorAll<HTMLElement>('*')];
    const wanted = 'a[href], button, input:not([type="hidden"]), select, textarea, summary, [tabindex="0"]';
    const radios = new Set<string>();
    return all
      .filter((element) => element.matches(wanted) && !element.matches(':disabled') && element.tabIndex >= 0)
      .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest('[inert]'))
      .filter((element) => {
        // One stop for a group of radio buttons.
        if (!(element instanceof HTMLInputElement) || element.type !== 'radio') return true;
        const first = !radios.has(element.name);
        radios.add(element.name);
        return first;
      })
      .map((element) => ({ place: all.indexOf(element), name: `${element.tagName.toLowerCase()}.${element.className}` }));
  });

test('the tab key reaches everything, in order, and shows where it is', async ({ browser }) => {
  const { context, page } = await owner(browser, 'en-US');
  const wanted = ['projects', 'account', 'overview', 'annotate', 'grid', 'suggestions', 'guideline', 'disagreements', 'review', 'datasets', 'dataset', 'runs', 'run', 'import', 'members', 'settings'];
  for (const stop of stops().filter(({ name }) => wanted.includes(name))) {
    await visit(page, kenami.url, stop);
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    const all = await reachable(page);
    const seen = new Set<number>();
    // What is rendered anew while the focus moves (the guideline of the attribute in focus) stands in another place then.
    const kinds = new Set<string>();
    const unmarked: string[] = [];
    // From wherever the page stands to its end, over the browser's own controls, and from its beginning.
    for (let step = 0, rounds = 0; step < 2 * all.length + 40 && rounds < 2; step += 1) {
      await page.keyboard.press('Tab');
      const now = await focused(page);
      if (!now) {
        rounds += 1;
        continue;
      }
      if (seen.has(now.place) && seen.size >= all.length) break;
      seen.add(now.place);
      kinds.add(now.kind);
      if (!now.ringed) unmarked.push(now.name);
    }
    expect.soft(unmarked, `${stop.name}: focus that does not show`).toEqual([]);
    expect.soft(all.filter(({ place, name }) => !seen.has(place) && !kinds.has(name)).map(({ name }) => name), `${stop.name}: never reached`).toEqual([]);
  }
  await context.close();
});

test('the first stop skips to the page', async ({ browser }) => {
  const { context, page } = await owner(browser, 'en-US');
  for (const path of ['/', '/p/pets-demo/runs']) {
    await open(page, `${kenami.url}${path}`);
    await page.keyboard.press('Tab');
    await expect(page.locator('.skip-link')).toBeFocused();
    await expect(page.locator('.skip-link')).toBeInViewport();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => !!document.activeElement?.closest('#main')), path).toBe(true);
  }
  await context.close();
});

test('a dialog takes the focus, keeps it, and gives it back', async ({ browser }) => {
  const { context, page } = await owner(browser, 'en-US');
  for (const path of ['datasets', 'runs']) {
    await open(page, `${project}/${path}`);
    const opener = page.locator('.page-actions button').first();
    await opener.focus();
    await page.keyboard.press('Enter');
    await expect(page.locator('dialog[open]')).toBeVisible();
    for (let step = 0; step < 30; step += 1) {
      const now = await focused(page);
      // Null: the browser's own controls, which lie between the last stop and the first.
      expect(now === null || now.inDialog, `${path}: ${now?.name}`).toBe(true);
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Escape');
    await expect(page.locator('dialog[open]')).toHaveCount(0);
    await expect(opener).toBeFocused();
  }
  await context.close();
});

test('nothing moves for those who ask for little motion', async ({ browser }) => {
  const { context, page } = await owner(browser, 'en-US');
  const seconds = () =>
    page.evaluate(() => {
      const probes = ['spinner', 'progress'].map((name) => {
        const probe = document.createElement(name === 'progress' ? 'progress' : 'span');
        probe.className = name;
        document.body.append(probe);
        return probe;
      });
      const longest = [...document.querySelectorAll('*')].map((element) => {
        const style = getComputedStyle(element);
        const values = `${style.animationDuration},${style.transitionDuration}`.split(',');
        return Math.max(...values.map((value) => parseFloat(value) * (value.trim().endsWith('ms') ? 0.001 : 1) || 0));
      });
      probes.forEach((probe) => probe.remove());
      return Math.max(...longest);
    });
  await open(page, project);
  expect(await seconds()).toBeGreaterThan(0.1);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const path of ['', '/annotate', '/grid', '/runs/1']) {
    await open(page, `${project}${path}`);
    expect(await seconds(), path).toBeLessThanOrEqual(0.001);
  }
  await context.close();
});
