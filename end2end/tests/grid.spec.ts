// Suggestions from the demo's breed standards, and screens of photos answered with one key.
import { BrowserContext, expect, Page, test } from '@playwright/test';

import { startDemo } from '../support/demo';
import { Kenami } from '../support/kenami';
import { look, open } from '../support/people';

test.describe.configure({ mode: 'serial' });

let kenami: Kenami;
let project: string;
let context: BrowserContext;
let page: Page;

test.beforeAll(async ({ browser }) => {
  ({ kenami, project, context, page } = await startDemo(browser));
});

test.afterAll(async () => {
  await context?.close();
  await kenami?.dispose();
});

const tiles = () => page.locator('.grid-tile');
const saved = (answers: number) => expect(page.getByText(`${answers} answers, all saved`)).toBeVisible();

test('the grid says how to get suggestions, and a lead chooses where they come from', async () => {
  await open(page, `${project}/grid`);
  await expect(page.getByText('No suggestions')).toBeVisible();
  await look(page, 'grid-empty');
  await open(page, `${project}/suggestions`);
  await look(page, 'suggestions-none');
  await page.getByLabel('From', { exact: true }).selectOption('standards');
  await page.getByLabel('Answered without suggestions').fill('0');
  await page.getByRole('button', { name: 'Suggest', exact: true }).click();
  await expect(page.getByText('Ear: 185 photos')).toBeVisible();
  await look(page, 'suggestions');
});

test('a screen is accepted with one key, exceptions are marked by number, and each answer is stored singly', async () => {
  await open(page, `${project}/grid`);
  await expect(tiles().first()).toBeVisible();
  await expect.poll(() => page.locator('.grid-tiles img').evaluateAll((all: HTMLImageElement[]) => all.every((i) => i.complete))).toBe(true);
  await look(page, 'grid');
  const count = await tiles().count();
  expect(count).toBeGreaterThan(5);
  await page.keyboard.press('2');
  await page.keyboard.press('w');
  await expect(page.locator('.grid-tile-marked')).toHaveCount(1);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('x');
  await expect(page.locator('.grid-mark').nth(1)).toHaveText('not visible');
  await look(page, 'grid-marked');
  const names = await tiles().evaluateAll((all) => all.map((tile) => tile.getAttribute('title')));
  await page.keyboard.press('Enter');
  await expect(page.locator('.grid-tile-marked')).toHaveCount(0);
  await saved(count);
  const next = await tiles().evaluateAll((all) => all.map((tile) => tile.getAttribute('title')));
  expect(next.filter((name) => names.includes(name))).toEqual([]);
  const labels = await (await context.request.get(`${project}/labels.csv`)).text();
  const mine = labels.split('\n').filter((line) => line.includes(',owner,'));
  expect(mine.length).toBe(count);
  expect(mine.filter((line) => line.includes('not_visible')).length).toBe(1);
});

test('a screen comes back and is changed', async () => {
  await page.keyboard.press('z');
  await expect(page.locator('.grid-tile-marked')).toHaveCount(2);
  await tiles().nth(0).click();
  await page.getByRole('group', { name: 'Answer of the photo' }).getByRole('button', { name: 'Unsure' }).click();
  await expect(page.locator('.grid-tile-marked')).toHaveCount(3);
  const count = await tiles().count();
  await page.keyboard.press('Enter');
  await expect(page.locator('.grid-tile-marked')).toHaveCount(0);
  await saved(count);
  const labels = await (await context.request.get(`${project}/labels.csv`)).text();
  const mine = labels.split('\n').filter((line) => line.includes(',owner,'));
  expect(mine.length).toBe(count);
  expect(mine.filter((line) => line.includes(',unsure')).length).toBe(1);
});

test('a dropped network loses no screen and doubles none', async () => {
  const before = Number(/(\d+) answers/.exec(await page.locator('.grid-saves').innerText())![1]);
  await context.setOffline(true);
  const count = await tiles().count();
  await page.keyboard.press('Enter');
  await expect(page.getByText('offline, 1 screen waiting')).toBeVisible();
  await look(page, 'grid-offline');
  await context.setOffline(false);
  await saved(before + count);
  const labels = await (await context.request.get(`${project}/labels.csv`)).text();
  expect(labels.split('\n').filter((line) => line.includes(',owner,')).length).toBe(before + count);
});

test('suggestions show beside a photo with their probability, and photos begun in the grid are finished there', async () => {
  await open(page, `${project}/annotate`);
  await expect(page.locator('.ask-in-focus .answer-suggested').first()).toBeVisible();
  await look(page, 'annotate-suggested');
});

test('the grid in the dark', async () => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await open(page, `${project}/grid`);
  await expect(tiles().first()).toBeVisible();
  await page.keyboard.press('1');
  await page.keyboard.press('w');
  await look(page, 'dark-grid');
  await open(page, `${project}/suggestions`);
  await look(page, 'dark-suggestions');
});

test('predictions from a file become the suggestions', async () => {
  const labels = await (await context.request.get(`${project}/labels.csv`)).text();
  const photos = [...new Set(labels.split('\n').slice(1).map((line) => line.split(',')[0]))].filter(Boolean).slice(0, 3);
  const rows = photos.map((photo) => `${photo},ear,drop,0.75\n${photo},ear,erect,0.25\n${photo},breed,pug,1\n`).join('');
  await page.emulateMedia({ colorScheme: 'light' });
  await open(page, `${project}/suggestions`);
  await page.getByText('From a file').click();
  const send = async (text: string) => {
    const name = 'predictions_of_a_model_with_a_name_that_is_longer_than_any_column.csv';
    await page.getByLabel('Predictions').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(text) });
    await page.getByRole('button', { name: 'Suggest from the file' }).click();
  };
  await send(`image,attribute,answer,probability\n${photos[0]},ear,drop,two\n`);
  await expect(page.getByText('line 2, column probability')).toBeVisible();
  await look(page, 'suggestions-file-refused');
  await send(`image,attribute,answer,probability\n${rows}`);
  await expect(page.getByText('3 suggestions are in use now.')).toBeVisible();
  await expect(page.getByText('ear: 3 photos')).toBeVisible();
  await look(page, 'suggestions-file');
});
