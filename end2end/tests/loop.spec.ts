// The whole loop on real photos: two annotators who disagree, a decision, a dataset, an export, a trained model.
import { BrowserContext, expect, Page, test } from '@playwright/test';
import { readFile, rm } from 'node:fs/promises';

import { Kenami } from '../support/kenami';
import { hydrated, join_, look, newcomer, open } from '../support/people';
import { smallSet } from '../support/photos';

test.describe.configure({ mode: 'serial' });

const BREEDS = ['Abyssinian', 'Sphynx', 'beagle', 'pug', 'samoyed'];
let kenami: Kenami;
let lead: { context: BrowserContext; page: Page };
let first: { context: BrowserContext; page: Page };
let second: { context: BrowserContext; page: Page };
let project: string;
let photosFolder: string | undefined;

test.beforeAll(async ({ browser }) => {
  kenami = await Kenami.start({ empty: true });
  project = `${kenami.url}/p/pets`;
  [lead, first, second] = [await newcomer(browser), await newcomer(browser), await newcomer(browser)];
});

test.afterAll(async () => {
  await Promise.all([lead, first, second].map((person) => person?.context.close()));
  await kenami?.dispose();
  if (photosFolder) await rm(photosFolder, { recursive: true });
});

test('the printed link makes the first administrator, once', async () => {
  const link = await kenami.firstAdministratorLink();
  await join_(lead.page, link, 'lead');
  await look(lead.page, 'projects-empty');
  const gone = await lead.context.request.get(link);
  expect(gone.status()).toBe(404);
});

test('a project is made and a folder imported, with what is wrong in it named', async () => {
  const { page } = lead;
  await open(page, kenami.url);
  await page.getByLabel('Name', { exact: true }).fill('Pets');
  await page.getByLabel('Key', { exact: true }).fill('pets');
  await page.getByRole('button', { name: 'Make the project' }).click();
  await page.waitForURL('**/p/pets/import');
  const { folder, photos } = await smallSet(BREEDS);
  photosFolder = folder;
  await page.getByRole('button', { name: 'A folder' }).click();
  await page.getByLabel('Files').setInputFiles(folder);
  await page.getByRole('button', { name: /^Import \d+ files/ }).click();
  await expect(page.getByText(`${photos} photos added, 1 of them a duplicate, 1 left out`).first()).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('row', { name: /Abyssinian_998/ }).first()).toBeVisible();
  await look(page, 'import-done');
  await open(page, project);
  await look(page, 'overview-new');
});

test('two annotators join by invitation', async () => {
  for (const [person, name] of [[first, 'first'], [second, 'second']] as const) {
    await open(lead.page, `${project}/members`);
    await lead.page.getByRole('button', { name: 'Make a link' }).click();
    const link = await lead.page.getByLabel('The link').inputValue();
    await join_(person.page, link, name);
  }
  await look(lead.page, 'members');
});

/** Answers every photo that the person gets, by keys alone; returns how many. */
async function answerAll(page: Page, keysFor: (photo: number) => string[]): Promise<number> {
  await open(page, `${project}/annotate`);
  const panel = page.getByRole('group', { name: 'Answers' });
  for (let photo = 0; ; photo += 1) {
    await expect(panel.or(page.getByText('All done')).first()).toBeVisible();
    if (!(await panel.isVisible())) return photo;
    if (photo === 2) await look(page, 'annotate');
    const before = await page.locator('.annotate-stage img').first().getAttribute('src');
    for (const key of keysFor(photo)) await page.keyboard.press(key);
    await expect
      .poll(async () => ((await panel.isVisible()) ? page.locator('.annotate-stage img').first().getAttribute('src') : null))
      .not.toBe(before);
  }
}

/** Both see the same coat, of two kinds: enough for a head to be trained on. */
const coat = (photo: number) => (photo % 2 === 0 ? '2' : '3');

test('both answer all photos by keyboard, and differ', async () => {
  const answered = await answerAll(first.page, (photo) => ['3', coat(photo), '2']);
  expect(answered).toBe(25);
  await look(first.page, 'annotate-done');
  // The second sees every fourth ear as dropped, and cannot see every fifth body.
  const again = await answerAll(second.page, (photo) => [photo % 4 === 0 ? '1' : '3', coat(photo), photo % 5 === 0 ? '0' : '2']);
  expect(again).toBe(25);
});

test('an annotator takes an answer back', async () => {
  const { page } = second;
  await page.keyboard.press('z');
  await expect(page.getByRole('group', { name: 'Answers' })).toBeVisible();
  // Undo stands on the last attribute; two up is the ear.
  for (const key of ['ArrowUp', 'ArrowUp', 'u', 'Enter', '2']) await page.keyboard.press(key);
  await expect(page.getByText('All done')).toBeVisible();
});

test('disagreements are measured, shown with the rules, and decided', async () => {
  const { page } = lead;
  await open(page, `${project}/disagreements`);
  await expect(page.getByRole('table', { name: 'Agreement per attribute' })).toContainText('%');
  await look(page, 'disagreements');
  await page.locator('main a[href*="photo="]').first().click();
  await hydrated(page);
  await expect(page.getByRole('heading', { name: 'The rules' })).toBeVisible();
  await expect(page.getByText('Annotator 1')).toBeVisible();
  await look(page, 'review');
  await page.keyboard.press('3');
  await page.keyboard.press('e');
  await page.getByLabel('Reason').fill('The tip bends only because it moves.');
  await page.getByRole('button', { name: /^Decide/ }).click();
  await expect(page.getByText('Decided:')).toBeVisible();
  await look(page, 'review-decided');
});

test('the rule is sharpened and published as version 2', async () => {
  const { page } = lead;
  await open(page, `${project}/guidelines/ear`);
  await look(page, 'guideline');
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Introduction').fill('Look at the ear that is seen best, **at rest**.');
  await look(page, 'guideline-editor');
  await page.getByRole('button', { name: 'Publish…' }).click();
  await page.getByLabel('What changed, and why').fill('Movement does not count.');
  await page.getByLabel(/^All answers/).check();
  await page.getByLabel('Only unsure answers').check();
  await expect(page.getByText('Back in the queue: 1 label on 1 photo.')).toBeVisible();
  await page.getByRole('button', { name: 'Publish', exact: true }).click();
  await expect(page.getByText('Version 2 is in force.')).toBeVisible();
  // The unsure answer came back to the one who gave it.
  await open(second.page, `${project}/annotate`);
  await expect(second.page.getByText('The guideline has changed.')).toBeVisible();
  await look(second.page, 'annotate-in-doubt');
  await second.page.keyboard.press('3');
  await expect(second.page.getByText('All done')).toBeVisible();
});

test('a dataset is frozen and exported, the same bytes each time', async () => {
  const { page } = lead;
  await open(page, `${project}/datasets`);
  await look(page, 'datasets-empty');
  await page.getByRole('button', { name: 'Freeze a dataset' }).first().click();
  await page.getByRole('dialog').getByLabel('Name').fill('v1');
  await look(page, 'freeze');
  await page.getByRole('dialog').getByRole('button', { name: 'Freeze' }).click();
  await page.waitForURL('**/datasets/v1');
  await expect(page.getByRole('heading', { name: 'Splits' })).toBeVisible();
  await look(page, 'dataset');
  const download = async () => (await lead.context.request.get(`${project}/datasets/v1/download?format=folder`)).body();
  const [once, twice] = [await download(), await download()];
  expect(once.length).toBeGreaterThan(100_000);
  expect(once.equals(twice)).toBe(true);
  const csv = await (await lead.context.request.get(`${project}/datasets/v1/download?format=csv`)).text();
  expect(csv.trim().split('\n')).toHaveLength(26 + 1);
});

test('a model is trained from the page, with live curves, and its results read', async () => {
  const { page } = lead;
  await open(page, `${project}/datasets/v1`);
  await page.getByRole('link', { name: 'Train on it' }).click();
  await hydrated(page);
  const dialog = page.getByRole('dialog');
  if (!(await dialog.isVisible())) await page.getByRole('button', { name: 'Start a run' }).first().click();
  await dialog.getByLabel('Configuration (TOML)').fill('epoch = 3');
  // A mistake is named with its line, before anything is sent.
  await expect(dialog.getByText(/Line 1/).first()).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Start' })).toBeDisabled();
  // Choices and text are two views of one configuration.
  await expect(dialog.getByLabel('What learns')).toBeDisabled();
  await look(page, 'run-broken');
  await dialog.getByLabel('Configuration (TOML)').fill('seed = 7');
  await expect(dialog.getByLabel('Seed')).toHaveValue('7');
  await dialog.getByLabel('What learns').selectOption('last-stage');
  await expect(dialog.getByLabel('Configuration (TOML)')).toHaveValue(/seed = 7[^]*train = "last-stage"/);
  // Cached maps are not augmented; what is no number does not stay in its field.
  await expect(dialog.getByLabel('Augmentation')).toBeDisabled();
  await dialog.getByLabel('Learning rate').fill('fast');
  await dialog.getByLabel('Learning rate').press('Tab');
  await expect(dialog.getByLabel('Learning rate')).toHaveValue('0.01');
  await look(page, 'run-choices');
  await dialog.getByLabel('What learns').selectOption('heads');
  await dialog.getByLabel('Epochs', { exact: true }).fill('5');
  await dialog.getByLabel('Epochs', { exact: true }).press('Tab');
  await expect(dialog.getByLabel('Configuration (TOML)')).toHaveValue(/^epochs = 5/m);
  await dialog.getByLabel('Configuration (TOML)').fill('epochs = 5');
  await look(page, 'run-start');
  await dialog.getByRole('button', { name: 'Start' }).click();
  await page.waitForURL(/\/runs\/\d+$/);
  await expect(page.getByRole('heading', { name: 'Results' })).toBeVisible({ timeout: 90_000 });
  await expect(page.getByRole('table', { name: 'Results per head and split' })).toContainText(/Coat.*Breed|Breed.*Coat/);
  await expect(page.getByRole('heading', { name: 'Curves' })).toBeVisible();
  await look(page, 'run');
  const metrics = await (await lead.context.request.get(`${page.url()}/files/metrics.json`)).json();
  expect(metrics.heads.breed.test.accuracy).toBeGreaterThan(0.5);
  expect(Object.keys(metrics.heads)).toContain('coat');
});

test('the same dataset trains from the command line without a server', async () => {
  const out = `${kenami.dataDir}/v1`;
  await kenami.cli('export', 'v1', '--format', 'folder', '--out', out);
  const manifest = JSON.parse(await readFile(`${out}/dataset.json`, 'utf8'));
  expect(manifest.hash).toMatch(/^[0-9a-f]{64}$/);
  await kenami.cli('train', '--dataset', out, '--out', `${kenami.dataDir}/run`);
  const metrics = JSON.parse(await readFile(`${kenami.dataDir}/run/metrics.json`, 'utf8'));
  expect(metrics.heads.breed.test.accuracy).toBeGreaterThan(0.5);
});

test('strangers see nothing: no page, no photo', async ({ browser }) => {
  const stranger = await newcomer(browser);
  await stranger.page.goto(`${project}/annotate`);
  await expect(stranger.page).toHaveURL(/\/sign-in\?next=/);
  await look(stranger.page, 'sign-in');
  const image = await first.page.evaluate(async () => {
    const img = document.querySelector('img');
    return img?.getAttribute('src') ?? null;
  });
  const photo = image ?? '/media/pets/1/web';
  expect((await stranger.context.request.get(`${kenami.url}${photo}`)).status()).toBeGreaterThanOrEqual(401);
  expect((await first.context.request.get(`${kenami.url}${photo}`)).status()).toBe(200);
  await stranger.context.close();
});
