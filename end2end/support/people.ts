// People at browsers: each has a context of their own, with the viewport of the project under test.
import { Browser, BrowserContext, expect, Page, test } from '@playwright/test';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

export const PASSWORD = 'a long enough password';

/** Opens a context like the test's own (viewport, touch), signed in as nobody. */
export async function newcomer(browser: Browser): Promise<{ context: BrowserContext; page: Page }> {
  const { viewport, hasTouch, isMobile } = test.info().project.use;
  const context = await browser.newContext({ viewport, hasTouch, isMobile });
  const page = await context.newPage();
  page.on('pageerror', (error) => expect.soft(error.message, `an error on ${page.url()}`).toBe(''));
  page.on('console', (message) => {
    const text = message.text();
    // Panics, refused scripts and styles, hydration that does not fit: none may ever happen.
    if (/panicked|Content Security Policy|hydration/i.test(text)) expect.soft(text, page.url()).toBe('');
  });
  return { context, page };
}

/** Opens an address and waits until its buttons answer. */
export async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await hydrated(page);
}

/** Waits until the page's buttons answer. */
export async function hydrated(page: Page): Promise<void> {
  await page.locator('html[data-hydrated]').waitFor({ state: 'attached' });
}

/** Uses a one-time link to make an account. */
export async function join_(page: Page, link: string, name: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('New password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Make the account and sign in' }).click();
  await expect(page.getByRole('link', { name, exact: true })).toBeVisible();
}

/** Signs in by name and password. */
export async function signIn(page: Page, url: string, name: string): Promise<void> {
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('link', { name, exact: true })).toBeVisible();
}

/** A picture for people to look at; nothing compares it. Fails if the page is wider than the window. */
export async function look(page: Page, name: string): Promise<void> {
  const folder = join(__dirname, '..', 'looks', test.info().project.name);
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect.soft(overflow, `${name} is wider than the window`).toBeLessThanOrEqual(0);
}
