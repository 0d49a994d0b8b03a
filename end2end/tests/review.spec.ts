// Review queues: a run's folds contradict labels, and a reviewer looks at what they find.
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
});

test.afterAll(async () => {
  await context?.close();
  await kenami?.dispose();
});

const tab = (name: string) => page.getByRole('navigation', { name: 'Queues' }).getByRole('link', { name });

test('before a run there is nothing that a model contradicts', async () => {
  await open(page, `${project}/disagreements`);
  await look(page, 'queues-differ');
  await tab('Model contradicts').click();
  await expect(page.getByText('Nobody has looked yet.')).toBeVisible();
  await page.getByRole('button', { name: 'Look now' }).click();
  await expect(page.getByText('no run has predictions of photos')).toBeVisible();
  await expect(page.getByText('Nothing open here')).toBeVisible();
  await look(page, 'queues-empty');
});

test('folds of a run find labels to look at, the surest first', async () => {
  await freezeAndTrain(page, project, 'epochs = 10\n[evaluate]\nfolds = 4');
  await open(page, `${project}/disagreements?cause=model`);
  await expect(page.getByText('There are newer labels or runs.')).toBeVisible();
  await page.getByRole('button', { name: 'Look now' }).click();
  await expect(page.getByText('From all votes and run v1')).toBeVisible();
  await expect(page.locator('.dispute').first()).toBeVisible();
  await look(page, 'queues-model');
});

test('the model stands beside the votes, and what is decided leaves the queue', async () => {
  const count = async () => Number((await tab('Model contradicts').innerText()).replace(/\D/g, ''));
  const before = await count();
  expect(before).toBeGreaterThan(0);
  await page.locator('.dispute').first().click();
  await expect(page.getByRole('heading', { name: 'Model', exact: true })).toBeVisible();
  await look(page, 'review-model');
  await page.keyboard.press('1');
  await page.keyboard.press('s');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Open again' })).toBeVisible();
  await open(page, `${project}/disagreements?cause=model`);
  expect(await count()).toBe(before - 1);
  await page.emulateMedia({ colorScheme: 'dark' });
  await look(page, 'dark-queues');
});

test('several photos are decided at once', async () => {
  await page.emulateMedia({ colorScheme: 'light' });
  await open(page, `${project}/disagreements?attribute=coat`);
  const together = page.getByRole('group', { name: 'Decide several at once' });
  const all = await page.locator('.dispute-choice').count();
  expect(all).toBeGreaterThan(2);
  await page.locator('.dispute-choice').nth(0).check();
  await page.locator('.dispute-choice').nth(1).check();
  await expect(together.getByText('2 photos chosen')).toBeVisible();
  await look(page, 'review-several');
  await together.getByRole('button', { name: 'Decide 2 photos' }).click();
  await expect(together.getByRole('alert')).toContainText('Choose the answer that holds.');
  await together.getByLabel('Which answer holds?').or(together.getByLabel('Answer')).first().selectOption({ label: 'Short' });
  await together.getByRole('button', { name: 'Decide 2 photos' }).click();
  await expect(page.locator('.dispute-choice')).toHaveCount(all - 2);
});

test('the queue of missed gold says what it is for', async () => {
  await open(page, `${project}/disagreements?cause=gold`);
  await expect(page.getByText('Gold photos that an annotator answered otherwise')).toBeVisible();
  await expect(page.getByText('Nothing open here')).toBeVisible();
});
