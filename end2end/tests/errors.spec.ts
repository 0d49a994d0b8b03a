// Error analysis of a run: on unseen photos alone, from a pair to its photos and from a photo to its review.
import { BrowserContext, expect, Page, test } from '@playwright/test';

import { freezeAndTrain, startDemo } from '../support/demo';
import { Kenami } from '../support/kenami';
import { look, open } from '../support/people';

test.describe.configure({ mode: 'serial' });

let kenami: Kenami;
let project: string;
let context: BrowserContext;
let page: Page;

test.beforeAll(async ({ browser }) => {
  ({ kenami, project, context, page } = await startDemo(browser));
  await freezeAndTrain(page, project, 'epochs = 4\n[evaluate]\nfolds = 3\nexplain = 6');
});

test.afterAll(async () => {
  await context?.close();
  await kenami?.dispose();
});

const scores = (name: string) => page.getByRole('region', { name });

test('the errors are those of unseen photos, and say which', async () => {
  await page.getByRole('link', { name: 'Look at its errors' }).click();
  await expect(page.getByRole('heading', { name: 'Errors of v1-1' })).toBeVisible();
  await expect(page.getByText(/On photos that the model has not seen: \d+ test photos by the run's model; \d+ photos by the fold/)).toBeVisible();
  const all = await page.getByRole('region', { name: 'Wrong answers to given attributes' }).getByRole('row').count();
  expect(all).toBeGreaterThan(3);
  // Coat and body were what the study suspected: each has a sentence.
  await expect(page.locator('.verdicts > li')).toHaveCount(all - 1);
  await page.getByRole('navigation', { name: 'Heads' }).getByRole('link', { name: /^Coat/ }).click();
  await expect(page.getByRole('heading', { name: 'Largest losses' })).toBeVisible();
  await look(page, 'errors');
});

test('tables begin with the worst value and hold what the sentence says', async () => {
  const shares = await scores('Coat: right answers by Coat').locator('tbody td:nth-child(2)').allInnerTexts();
  const rows = shares.map((text) => text.match(/\d+/g)!.map(Number));
  const rates = rows.map(([right, photos]) => right / photos);
  expect(rates).toEqual([...rates].sort((a, b) => a - b));
  const [right, photos] = rows.reduce(([r, n], [right, photos]) => [r + right, n + photos], [0, 0]);
  await expect(page.getByText(`Coat: ${right} of ${photos} right`)).toBeVisible();
  await page.getByRole('link', { name: 'Test photos alone' }).click();
  await expect(page.getByText(/: \d+ test photos by the run's model\.$/)).toBeVisible();
  await expect(page.getByText(/Coat: \d+ of \d+ right/)).not.toContainText(`of ${photos} right`);
});

test('a photo of a confused pair opens in review, with the overlay beside the votes', async () => {
  await open(page, `${page.url().split('?')[0]}?head=coat`);
  const pair = page.locator('.pair').first();
  await pair.locator('summary').click();
  await expect(pair.locator('.case').first()).toBeVisible();
  // The largest losses of the test part have overlays.
  const shown = page.locator('.case:has(.case-overlay img)').last();
  await shown.scrollIntoViewIfNeeded();
  const picture = shown.locator('.case-overlay img');
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(300);
  await look(page, 'errors-photos');
  const photo = await shown.locator('.tile-name').innerText();
  await shown.getByRole('link', { name: 'Review: Coat' }).click();
  await expect(page.getByRole('heading', { name: `Coat: ${photo}` })).toBeVisible();
  const overlay = page.getByRole('img', { name: `Where the network looked in ${photo}` });
  await expect.poll(() => overlay.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(300);
  await look(page, 'review-overlay');
  // The photos beside it on the errors page are its neighbours, and the way back leads there.
  await page.getByRole('link', { name: /^Previous/ }).click();
  await expect(page.getByRole('heading', { name: /^Coat: / })).not.toHaveText(`Coat: ${photo}`);
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('heading', { name: `Coat: ${photo}` })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page).toHaveURL(/\/runs\/1\/errors\?head=coat$/);
  await expect(page.getByRole('heading', { name: 'Largest losses' })).toBeVisible();
});

test('breed mistakes lead to the review of any attribute; dark and small', async () => {
  await open(page, `${project}/runs/1/errors?head=breed`);
  const reviews = page.locator('.case').last().getByRole('link', { name: /^Review:/ });
  await expect(reviews).toHaveCount(3);
  await page.emulateMedia({ colorScheme: 'dark' });
  await look(page, 'dark-errors-breed');
  const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(width).toBeLessThanOrEqual(0);
});
