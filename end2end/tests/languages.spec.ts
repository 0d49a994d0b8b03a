// English and Japanese: which one a page speaks, and that no page says a word of English in Japanese.
import { Browser, expect, Page, test } from '@playwright/test';

import { Kenami } from '../support/kenami';
import { hydrated, look, newcomer, open, PASSWORD, signIn } from '../support/people';
import { furnish, OWNER, stops, visit } from '../support/tour';

test.setTimeout(300_000);

let kenami: Kenami;
let project: string;

test.beforeAll(async ({ browser }) => {
  kenami = await Kenami.start();
  await kenami.demoLoaded();
  project = `${kenami.url}/p/pets-demo`;
  await furnish(kenami, browser);
});

test.afterAll(async () => kenami?.dispose());

const language = (page: Page) => page.locator('html').getAttribute('lang');

/** A context whose browser asks for `locale`. */
async function from(browser: Browser, locale: string, scripts = true): Promise<Page> {
  const { viewport, hasTouch, isMobile } = test.info().project.use;
  const context = await browser.newContext({ viewport, hasTouch, isMobile, locale, javaScriptEnabled: scripts });
  return context.newPage();
}

/** Signs in whatever the page's language is. */
async function enter(page: Page): Promise<void> {
  await page.goto(`${kenami.url}/sign-in`);
  await page.locator('#name').fill(OWNER);
  await page.locator('#password').fill(PASSWORD);
  await page.locator('form[action="/auth/sign-in"] button').click();
  await expect(page.locator('a[href="/account"]')).toBeVisible();
}

test('the browser is asked first, and the switch on the sign-in page comes before it', async ({ browser }) => {
  for (const [locale, expected] of [['ja-JP', 'ja'], ['en-GB', 'en'], ['de-DE', 'en']]) {
    const page = await from(browser, locale);
    await page.goto(`${kenami.url}/sign-in`);
    expect(await language(page), locale).toBe(expected);
    await page.context().close();
  }
  const page = await from(browser, 'ja-JP');
  await open(page, `${kenami.url}/sign-in?next=/account`);
  await expect(page.getByRole('button', { name: 'サインイン' })).toBeVisible();
  await look(page, 'ja-sign-in');
  await page.getByRole('button', { name: 'English' }).click();
  await hydrated(page);
  expect(await language(page)).toBe('en');
  expect(new URL(page.url()).search).toBe('?next=/account');
  await page.reload();
  expect(await language(page)).toBe('en');
  await page.getByRole('button', { name: '日本語' }).click();
  await page.locator('#name').fill(OWNER);
  await page.locator('#password').fill('not the password');
  await page.locator('form[action="/auth/sign-in"] button').click();
  await expect(page.getByText('名前とパスワードの組み合わせが正しくありません。')).toBeVisible();
  await page.context().close();
});

test('the account remembers the language, on every machine, until it is left to the browser', async ({ browser }) => {
  const { context, page } = await newcomer(browser);
  await signIn(page, kenami.url, OWNER);
  await open(page, `${kenami.url}/account`);
  await page.getByLabel('Language').selectOption('ja');
  await page.getByRole('button', { name: 'Use this language' }).click();
  await expect(page.getByRole('heading', { name: '自分のアカウント' })).toBeVisible();
  expect(await language(page)).toBe('ja');
  await look(page, 'ja-account');
  const elsewhere = await from(browser, 'en-US');
  await enter(elsewhere);
  expect(await language(elsewhere)).toBe('ja');
  await open(elsewhere, `${kenami.url}/account`);
  await elsewhere.getByLabel('言語').selectOption('');
  await elsewhere.getByRole('button', { name: 'この言語を使う' }).click();
  await expect(elsewhere.getByRole('heading', { name: 'Your account' })).toBeVisible();
  await elsewhere.context().close();
  await context.close();
});

test('guidelines and values are shown in the language, and can be written in each', async ({ browser }) => {
  const page = await from(browser, 'ja-JP');
  await enter(page);
  await open(page, `${project}/guidelines/ear`);
  await expect(page.getByRole('heading', { name: 'ガイドライン: 耳' })).toBeVisible();
  await expect(page.locator('.rule h2').first()).toHaveText('断耳');
  await expect(page.locator('.guideline')).toContainText('先端まで耳全体が立っている');
  await page.getByRole('button', { name: '編集' }).click();
  const rule = page.locator('#rule-drop');
  await expect(rule).toHaveValue(/付け根から垂れている/);
  await page.getByRole('button', { name: 'English' }).and(page.locator('[aria-pressed]')).click();
  await expect(rule).toHaveValue(/The ear hangs from its base/);
  await rule.fill('');
  // Where one is missing, the other shows, marked.
  await expect(page.locator('.rule-editor', { has: rule }).getByText('日本語のみ')).toBeVisible();
  await expect(page.getByText('未入力 1 件')).toBeVisible();
  await page.locator('[aria-pressed]', { hasText: '日本語' }).click();
  await expect(rule).toHaveValue(/付け根から垂れている/);
  await look(page, 'ja-guideline-editor');
  await page.context().close();
});

// What stays in Latin letters: names of people, products, formats and methods, keys of the keyboard, units, and data.
const ALLOWED = new Set(
  `Kenami Escape CSV probability Oxford IIIT Pet Pets demo owner annotator english API JPEG PNG WebP zip csv TOML Markdown UTC Esc Enter Ctrl Alt Meta
   Tab Space Shift Backspace Home End Grad CAM CROWDLAB Dawid Skene NLL ECE nat blake TensorBoard GPU MiB GiB kenami import train
   class image attribute answer explanation Wilson images annotations metadata jsonl json imagefolder folder README Bearer Authorization svg px MB kB English`
    .split(/\s+/),
);

/** Words of three or more Latin letters that a reader sees or hears, and that are not allowed. */
async function englishWords(page: Page): Promise<string[]> {
  const texts = await page.evaluate(() => {
    // Code, what people have written, and texts that say themselves in which language they are.
    const foreign = 'code, kbd, pre, textarea, script, style, noscript, [lang="en"], [data-words="data"], select[id^="run-"] option';
    const found: string[] = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      const parent = node.parentElement!;
      if (parent.closest(foreign) || !parent.checkVisibility({ visibilityProperty: true })) continue;
      found.push(node.textContent ?? '');
    }
    for (const element of document.body.querySelectorAll('*')) {
      if (element.closest(foreign) || !element.checkVisibility()) continue;
      for (const name of ['aria-label', 'title', 'placeholder', 'aria-description']) {
        // A value's badge has its key as a title; in a row that names a key, labels name it, too.
        const ofKey = (name === 'title' && element.matches('.badge')) || element.closest('tr')?.querySelector('th code');
        if (!ofKey) found.push(element.getAttribute(name) ?? '');
      }
    }
    found.push(document.title);
    return found;
  });
  const words = texts
    // File names, addresses, keys of values and of configuration, hashes, and the demo's description.
    .map((text) => text.replace(/Five photos of each[^]*/g, '').replace(/\S*[a-z0-9]\.[a-z0-9]\S*/gi, ' ').replace(/\S*[_/@=]\S*/g, ' ').replace(/\b[0-9a-f]{12,}\b/g, ' '))
    .flatMap((text) => (text.match(/[A-Za-z]{3,}/g) ?? []).filter((word) => !ALLOWED.has(word)).map((word) => `${word} (in "${text.trim().slice(0, 90)}")`));
  return [...new Set(words)];
}

test('no page says a word of English in Japanese', async ({ browser }) => {
  const page = await from(browser, 'ja-JP');
  page.on('console', (message) => {
    if (/panicked|Content Security Policy|hydration/i.test(message.text())) expect.soft(message.text(), page.url()).toBe('');
  });
  await enter(page);
  for (const stop of stops()) {
    await test.step(stop.name, async () => {
      await visit(page, kenami.url, stop);
      expect(await language(page)).toBe('ja');
      expect.soft(await englishWords(page), stop.name).toEqual([]);
      await look(page, `ja-${stop.name}`);
    });
  }
  await page.context().close();
});

test('the server alone speaks Japanese too', async ({ browser }) => {
  const page = await from(browser, 'ja-JP', false);
  await enter(page);
  for (const stop of stops().filter((stop) => !stop.then)) {
    await page.goto(`${kenami.url}${stop.path}`);
    // Times become distances in the browser; the server writes a date.
    expect.soft(await englishWords(page), stop.name).toEqual([]);
  }
  await page.context().close();
});
