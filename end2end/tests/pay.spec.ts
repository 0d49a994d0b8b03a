// Do the labels pay? A comparison is started, stopped, interrupted and taken up again, and says what it shows.
import { BrowserContext, expect, Page, test } from '@playwright/test';

import { startDemo } from '../support/demo';
import { Kenami } from '../support/kenami';
import { hydrated, look, open } from '../support/people';

test.describe.configure({ mode: 'serial', timeout: 600_000 });

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

const badge = (state: string) => page.locator('.page-actions .badge').filter({ hasText: state });
const start = async (part: string, seeds: string) => {
  await page.getByLabel('What learns').selectOption(part);
  await page.getByLabel('Trainings of each kind').fill(seeds);
  await page.getByRole('button', { name: 'Start' }).click();
};

test('it needs a dataset, and at least two trainings of each kind', async () => {
  await open(page, `${project}/runs`);
  await page.getByRole('link', { name: 'Do the labels pay?' }).click();
  await expect(page.getByText('A comparison needs a frozen dataset.')).toBeVisible();
  await kenami.cli('dataset', 'freeze', 'pets-demo', 'v1');
  await open(page, `${project}/pay`);
  await look(page, 'pay-start');
  await start('heads', '1');
  await expect(page.getByText('must be 2 to 20')).toBeVisible();
});

test('quick heads: an interrupted server goes on, and says what cannot be asked of frozen features', async () => {
  await start('heads', '2');
  await page.waitForURL(/\/pay\/\d+$/);
  await expect(page.getByText(/^[1-9]\d* of 18$/)).toBeVisible({ timeout: 120_000 });
  await look(page, 'pay-running');
  await kenami.stop();
  await kenami.run();
  await open(page, page.url());
  await expect(badge('done')).toBeVisible({ timeout: 300_000 });
  const words = page.getByRole('region', { name: 'In words' });
  // One sentence for both heads and all kinds of training.
  await expect(words.getByText('heads share no weights')).toHaveText(/^Breed, Species: nothing changes/);
  await expect(words.getByText(/^Coat, instance-level less class-level: /)).toBeVisible();
  const curve = page.getByRole('region', { name: 'What would more labels bring?' });
  await expect(curve.locator('tbody tr')).toHaveCount(3);
  await expect(curve.getByRole('img')).toBeVisible();
  await look(page, 'pay-words');
  await curve.scrollIntoViewIfNeeded();
  await look(page, 'pay-curve');
  const tests = page.locator('details', { hasText: "McNemar's test" }).first();
  await tests.locator('summary').click();
  await expect(tests.getByRole('row').nth(1)).toBeVisible();
  await tests.scrollIntoViewIfNeeded();
  await look(page, 'pay-figures');
});

test('what the page says is what REST has, and the figures are those of the runs', async () => {
  const token = (await kenami.cli('admin', 'token', 'owner')).trim().split(/\s+/).pop()!;
  const answer = await fetch(`${kenami.url}/api/v1/projects/pets-demo/experiments/1`, { headers: { Authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  const { results } = await answer.json();
  expect(results.cells).toHaveLength(18);
  expect(results.cells.every((cell: { state: string }) => cell.state === 'finished')).toBe(true);
  const contrast = results.contrasts.find(
    (one: { head: string; variant: string; against: string }) => one.head === 'coat' && one.variant === 'instance-level' && one.against === 'class-level',
  );
  const points = (contrast.difference * 100).toFixed(1).replace(/^(?=\d)/, '+').replace('-', '−');
  await expect(page.getByText(`Coat, instance-level less class-level: ${points} points`)).toBeVisible();
  // Of two trainings the mean difference is the difference of the means.
  const mean = (variant: string) => {
    const cells = results.cells.filter((cell: { variant: string }) => cell.variant === variant);
    return cells.reduce((sum: number, cell: any) => sum + cell.heads.coat.test.accuracy, 0) / cells.length;
  };
  expect(contrast.difference).toBeCloseTo(mean('instance-level') - mean('class-level'), 9);
  // A curve of labels that grow.
  for (const { points: sizes } of results.curves) {
    const labels = sizes.map((size: { labels: number }) => size.labels);
    expect(labels).toEqual([...labels].sort((a: number, b: number) => a - b));
  }
});

test('shared weights: it can be stopped, and what has finished stays; dark', async () => {
  await open(page, `${project}/pay`);
  await expect(page.getByLabel('What learns')).toHaveValue('last-stage');
  await page.getByLabel('Also train on shares of the labels').uncheck();
  await start('last-stage', '3');
  await page.waitForURL(/\/pay\/2$/);
  await hydrated(page);
  await expect(page.getByText(/^[2-9] of 9$/)).toBeVisible({ timeout: 300_000 });
  await page.getByRole('button', { name: 'Stop the comparison' }).click();
  await expect(badge('cancelled')).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('heading', { name: 'Figures' })).toBeVisible();
  await page.emulateMedia({ colorScheme: 'dark' });
  await look(page, 'dark-pay-stopped');
  await open(page, `${project}/pay`);
  await expect(page.getByRole('row')).toHaveCount(3);
  await look(page, 'dark-pay-list');
});
