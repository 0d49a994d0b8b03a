// The first start: the demo project, and that stopping in any way does not block the next start.
import { expect, test } from '@playwright/test';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { Kenami } from '../support/kenami';
import { hydrated, join_, look, newcomer, open, signIn } from '../support/people';

test.describe.configure({ mode: 'serial' });

let kenami: Kenami;
let project: string;

test.beforeAll(async () => {
  kenami = await Kenami.start();
  await kenami.demoLoaded();
  project = `${kenami.url}/p/pets-demo`;
});

test.afterAll(async () => kenami?.dispose());

test('every page of the demo has something to show', async ({ browser }) => {
  const { context, page } = await newcomer(browser);
  await join_(page, await kenami.firstAdministratorLink(), 'owner');
  await open(page, project);
  await expect(page.getByText('annotator-a')).toBeVisible();
  await look(page, 'demo-overview');
  await open(page, `${project}/guidelines`);
  await look(page, 'demo-guidelines');
  await open(page, `${project}/disagreements`);
  await expect(page.locator('main a[href*="photo="]').nth(20)).toBeAttached();
  await look(page, 'demo-disagreements');
  await open(page, `${project}/annotate`);
  await expect(page.getByRole('group', { name: 'Answers' })).toBeVisible();
  await page.waitForFunction(() => document.querySelector<HTMLImageElement>('.annotate-stage img')?.complete);
  await look(page, 'demo-annotate');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toBeVisible();
  await look(page, 'demo-keys');
  await context.close();
});

test('the pages are made for dark rooms, too', async ({ browser }) => {
  const { context, page } = await newcomer(browser);
  await page.emulateMedia({ colorScheme: 'dark' });
  await signIn(page, kenami.url, 'owner');
  for (const [name, path] of [['overview', ''], ['annotate', '/annotate'], ['disagreements', '/disagreements'], ['guideline', '/guidelines/coat']]) {
    await open(page, `${project}${path}`);
    await look(page, `dark-${name}`);
  }
  await context.close();
});

test('a dataset of the demo is frozen, a run started and cancelled, another finished', async ({ browser }) => {
  const { context, page } = await newcomer(browser);
  await signIn(page, kenami.url, 'owner');
  await open(page, `${project}/datasets`);
  await page.getByRole('button', { name: 'Freeze a dataset' }).first().click();
  await page.getByRole('dialog').getByLabel('Name').fill('first');
  await page.getByRole('dialog').getByRole('button', { name: 'Freeze' }).click();
  await page.waitForURL('**/datasets/first');
  await look(page, 'demo-dataset');
  const start = async (config: string) => {
    await page.goto(`${project}/datasets/first`);
    await page.getByRole('link', { name: 'Train on it' }).click();
    await hydrated(page);
    const dialog = page.getByRole('dialog');
    if (!(await dialog.isVisible())) await page.getByRole('button', { name: 'Start a run' }).first().click();
    await dialog.getByLabel('Configuration (TOML)').fill(config);
    await dialog.getByRole('button', { name: 'Start' }).click();
    await page.waitForURL(/\/runs\/\d+$/);
  };
  await start('epochs = 10000');
  await page.getByRole('button', { name: 'Cancel the run' }).click();
  await expect(page.getByText('cancelled').first()).toBeVisible({ timeout: 60_000 });
  await start('');
  await expect(page.getByRole('heading', { name: 'Results' })).toBeVisible({ timeout: 90_000 });
  await expect(page.getByRole('table', { name: 'Results per head and split' })).toContainText('Ear');
  await look(page, 'demo-run');
  await context.close();
});

test('a second start is quick, after a stop and after kill -9, and the sign-in holds', async ({ browser }) => {
  const { context, page } = await newcomer(browser);
  await signIn(page, kenami.url, 'owner');
  for (const [end, limit] of [['stop', 5_000], ['kill', 10_000]] as const) {
    await kenami[end]();
    const begun = Date.now();
    await kenami.run();
    expect(Date.now() - begun, `a start after ${end}`).toBeLessThan(limit);
    await open(page, project);
    await expect(page.getByText('annotator-a')).toBeVisible();
  }
  await context.close();
});

test('a stop leaves nothing running', async () => {
  await kenami.stop();
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
  expect(stdout.split('\n').filter((line) => line.includes(kenami.dataDir))).toEqual([]);
});
