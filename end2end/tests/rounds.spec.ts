// Active learning as a loop from the page: train, answer what the model doubts, train again, and see what it brought.
import { BrowserContext, expect, Page, test } from '@playwright/test';

import { answer } from '../support/annotating';
import { startDemo } from '../support/demo';
import { Kenami } from '../support/kenami';
import { look, open } from '../support/people';

test.describe.configure({ mode: 'serial', timeout: 300_000 });

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

const round = async (name: string) => {
  await page.getByRole('button', { name: 'Freeze and train' }).click();
  await page.waitForURL(/\/runs\/\d+$/);
  await expect(page.getByRole('heading', { name })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Results' })).toBeVisible({ timeout: 180_000 });
  await open(page, `${project}/loop`);
};
const rows = () => page.getByRole('region', { name: /^Runs with the labels/ }).locator('tbody tr');

test('a first round trains on what is there and puts the queue in the order of its doubt', async () => {
  await open(page, `${project}/runs`);
  await page.getByRole('link', { name: 'Learning loop' }).click();
  await expect(page.getByText('Answer what comes first in the queue: as imported.')).toBeVisible();
  await look(page, 'loop-begin');
  await round('round-1');
  await expect(page.getByText('what the model is least sure of (entropy).')).toBeVisible();
  await expect(page.getByText('Nothing has been answered since the last round.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Freeze and train' })).toBeDisabled();
  await expect(rows()).toHaveCount(1);
});

test('after some answers the next round has more labels, and both are drawn', async () => {
  await open(page, `${project}/annotate`);
  await answer(page, 4);
  await expect.poll(async () => {
    await open(page, `${project}/loop`);
    return page.getByText(/\d+ labels since the last round/).innerText();
  }).toContain('12 labels');
  await round('round-2');
  await expect(rows()).toHaveCount(2);
  const labels = (await rows().locator('td:nth-child(3)').allInnerTexts()).map((text) => Number(text.replace(',', '')));
  expect(labels[0]).toBe(labels[1] + 12);
  // Each head's line has both rounds.
  const line = await page.locator('.chart polyline.chart-line').first().getAttribute('points');
  expect(line!.trim().split(' ')).toHaveLength(2);
  await look(page, 'loop');
  await page.emulateMedia({ colorScheme: 'dark' });
  await look(page, 'dark-loop');
});

test('with no new answers a round may still learn what the model is sure of', async () => {
  await page.emulateMedia({ colorScheme: 'light' });
  const begin = page.getByRole('button', { name: 'Freeze and train' });
  await expect(begin).toBeDisabled();
  await page.getByLabel('Learn also what the model is sure of').check();
  const sure = page.getByLabel('Sure from (%)');
  await sure.fill('much');
  await expect(page.getByRole('alert')).toHaveText('a number from 0 to 100');
  await expect(begin).toBeDisabled();
  await look(page, 'loop-pseudo-wrong');
  await sure.fill('80');
  await expect(begin).toBeEnabled();
  await look(page, 'loop-pseudo');
  await begin.click();
  await page.waitForURL(/\/runs\/\d+$/);
  await expect(page.getByRole('heading', { name: 'Results' })).toBeVisible({ timeout: 180_000 });
  const learnt = page.getByText(/^After a first round a second one learnt also what the model was sure of \(from 80 %\)/);
  const counts = /answers for ([\d,]+) of ([\d,]+) photos/.exec(await learnt.innerText())!.slice(1).map((text) => Number(text.replace(',', '')));
  expect(counts[0]).toBeGreaterThan(0);
  expect(counts[1]).toBeGreaterThanOrEqual(counts[0]);
  const before = page.getByRole('region', { name: /^The model's own answers that were learnt/ });
  await expect(before.locator('tbody tr')).toHaveCount(5);
  await look(page, 'run-pseudo');
  // Ten epochs of the first round and three of the second, one after the other.
  const curve = await page.locator('.chart polyline.chart-line').first().getAttribute('points');
  expect(curve!.trim().split(' ')).toHaveLength(13);
  await open(page, `${project}/loop`);
  await expect(rows()).toHaveCount(3);
  // The same again would say the same.
  await page.getByLabel('Learn also what the model is sure of').check();
  await page.getByLabel('Sure from (%)').fill('80');
  await expect(begin).toBeDisabled();
  await page.getByLabel('Sure from (%)').fill('85');
  await expect(begin).toBeEnabled();
});
