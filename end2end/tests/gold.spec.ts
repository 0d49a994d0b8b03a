// Gold: a lead makes photos gold, an annotator takes the quiz and annotates with gold mixed in, the lead reads the report,
// pauses them and puts their labels in doubt.
import { BrowserContext, expect, Page, test } from '@playwright/test';
import { readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';

import { Kenami } from '../support/kenami';
import { hydrated, join_, look, newcomer, open } from '../support/people';
import { smallSet } from '../support/photos';

test.describe.configure({ mode: 'serial' });

let kenami: Kenami;
let lead: { context: BrowserContext; page: Page };
let ann: { context: BrowserContext; page: Page };
let project: string;
let folder: string;
/** The right answers: photo name to attribute to answer. */
const truth = new Map<string, Map<string, string>>();
/** Names of the photos that the lead makes gold. */
let golden: string[];

test.beforeAll(async ({ browser }) => {
  kenami = await Kenami.start({ empty: true });
  project = `${kenami.url}/p/pets`;
  [lead, ann] = [await newcomer(browser), await newcomer(browser)];
  await join_(lead.page, await kenami.firstAdministratorLink(), 'lead');
  ({ folder } = await smallSet(['Abyssinian', 'Sphynx', 'beagle', 'pug', 'samoyed']));
  await kenami.cli('import', 'pets', folder);
  const rows = (await readFile(resolve(__dirname, '../../demo/truth.csv'), 'utf8')).trim().split('\n');
  const columns = rows[0].split(',');
  const [image, attribute, answer] = ['image', 'attribute', 'answer'].map((name) => columns.indexOf(name));
  for (const row of rows.slice(1).map((line) => line.split(','))) {
    if (!truth.has(row[image])) truth.set(row[image], new Map());
    truth.get(row[image])!.set(row[attribute], row[answer]);
  }
});

test.afterAll(async () => {
  await Promise.all([lead, ann].map((person) => person?.context.close()));
  await kenami?.dispose();
  if (folder) await rm(folder, { recursive: true });
});

const panel = (page: Page) => page.getByRole('group', { name: 'Answers' });
const photoName = async (page: Page) => (await page.locator('.stage-caption').innerText()).trim();

/** Chooses an answer of the attribute in the open photo by its button. */
async function choose(page: Page, attribute: string, answer: string): Promise<void> {
  const group = panel(page).getByRole('group', { name: new RegExp(`^${attribute}`, 'i') });
  const name = new RegExp(`^${answer.replace('_', '[-_ ]')}$`, 'i');
  await group.locator('.answer', { has: page.getByText(name) }).click();
}

test('a lead brings right answers in from a table and sets the quiz', async () => {
  const { page } = lead;
  await open(page, `${project}/gold`);
  await look(page, 'gold-empty');
  const sure = (name: string) => [...truth.get(name)!.values()].every((answer) => answer !== 'unsure');
  golden = [...truth.keys()].filter((name) => /^(Abyssinian|Sphynx|beagle|pug)_/.test(name) && sure(name)).slice(0, 12);
  const rows = golden.flatMap((name) =>
    [...truth.get(name)!].map(([attribute, answer]) => `${name},${attribute},${answer},"See the ${attribute} of ${name}"`),
  );
  await page.getByText('From a table', { exact: true }).click();
  await page.getByLabel('CSV: image').fill(['image,attribute,answer,explanation', ...rows, 'none.jpg,ear,drop,'].join('\n'));
  await page.getByRole('button', { name: 'Make these gold' }).click();
  await expect(page.getByText(`${rows.length} answers are gold now`)).toBeVisible();
  await expect(page.getByText('there is no photo `none.jpg`')).toBeVisible();
  await page.getByLabel('Gold among an annotator').fill('50');
  await page.getByLabel('Photos of the quiz').fill('3');
  await page.getByLabel('Right answers that pass').fill('70');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await look(page, 'gold');
});

test('an annotator takes the quiz, answers one wrong and sees the rule', async () => {
  await open(lead.page, `${project}/members`);
  await lead.page.getByRole('button', { name: 'Make a link' }).click();
  await join_(ann.page, await lead.page.getByLabel('The link').inputValue(), 'ann');
  const { page } = ann;
  await open(page, `${project}/annotate`);
  await expect(page.getByText('First a short quiz')).toBeVisible();
  await look(page, 'annotate-quiz-first');
  await page.getByRole('link', { name: 'To the quiz' }).click();
  await hydrated(page);
  await look(page, 'quiz-before');
  await page.getByRole('button', { name: /^Begin/ }).click();
  for (let number = 1; number <= 3; number += 1) {
    await expect(page.getByText(`Photo ${number} of 3`)).toBeVisible();
    if (number === 1) await look(page, 'quiz');
    const right = truth.get(await photoName(page))!;
    for (const [attribute, answer] of right) {
      const wrong = number === 2 && attribute === 'ear';
      await choose(page, attribute, wrong ? (answer === 'drop' ? 'erect' : 'drop') : answer);
    }
    if (number === 2) {
      await expect(page.getByText('Right is')).toBeVisible();
      await expect(page.getByText(/^See the ear of/)).toBeVisible();
      await expect(page.getByRole('heading', { name: /^The rule/ })).toBeVisible();
      await expect(page.locator('.quiz-correction .markdown')).not.toBeEmpty();
      await look(page, 'quiz-wrong');
      await page.keyboard.press('Enter');
    }
  }
  await expect(page.getByText('You passed')).toBeVisible();
  await expect(page.getByText('8 of 9 answers right')).toBeVisible();
  await look(page, 'quiz-passed');
});

test('gold is mixed in and cannot be told apart', async () => {
  const { page } = ann;
  const claims: string[] = [];
  page.on('response', async (response) => {
    if (response.url().includes('claim_photos')) claims.push(await response.text().catch(() => ''));
  });
  await page.getByRole('link', { name: 'Annotate', exact: true }).first().click();
  await expect(panel(page)).toBeVisible();
  let gold = 0;
  for (let photo = 0; photo < 12; photo += 1) {
    const name = await photoName(page);
    gold += golden.includes(name) ? 1 : 0;
    if (photo === 0) await look(page, 'annotate-with-gold');
    for (const [attribute, answer] of truth.get(name)!) {
      // Every fourth ear is wrong.
      await choose(page, attribute, attribute === 'ear' && photo % 4 === 3 ? 'semi_erect' : answer === 'unsure' ? 'not_visible' : answer);
    }
    await expect.poll(() => photoName(page)).not.toBe(name);
  }
  expect(gold).toBeGreaterThan(0);
  await expect(page.getByText('all saved').first()).toBeVisible();
  expect(claims.join('')).not.toMatch(/gold/i);
  await open(page, `${project}/report`);
  await expect(page.getByRole('table', { name: 'Gold and agreement per attribute' })).toBeVisible();
  await look(page, 'my-report');
});

test('the lead reads the report', async () => {
  const { page } = lead;
  await open(page, `${project}/annotators`);
  await expect(page.getByRole('row', { name: /ann/ })).toContainText('passed, 89 %');
  await look(page, 'annotators');
  await page.getByRole('link', { name: 'ann', exact: true }).click();
  await hydrated(page);
  await expect(page.getByRole('table', { name: 'Gold and agreement per attribute' })).toContainText('%');
  await look(page, 'annotator');
  await page.emulateMedia({ colorScheme: 'dark' });
  await look(page, 'dark-annotator');
  await page.emulateMedia({ colorScheme: null });
});

test('the lead pauses the annotator, whose page says so', async () => {
  await lead.page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(lead.page.getByText('on pause', { exact: true })).toBeVisible();
  const { page } = ann;
  await open(page, `${project}/annotate`);
  await expect(page.getByText('Your work is on pause')).toBeVisible();
  await look(page, 'annotate-paused');
});

test('the lead puts their labels in doubt, sees how many first, and takes it back', async () => {
  const { page } = lead;
  await page.getByLabel('Attribute', { exact: true }).selectOption('ear');
  await page.getByLabel('Why', { exact: true }).fill('read too fast');
  await page.getByRole('button', { name: 'Put in doubt…' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText(/\d+ labels? on \d+ photos?/);
  await look(page, 'doubt');
  await dialog.getByRole('button', { name: 'Put in doubt', exact: true }).click();
  await expect(page.getByRole('table', { name: 'Doubts' })).toContainText('read too fast');
  const csv = async () => (await lead.context.request.get(`${project}/labels.csv`)).text();
  expect((await csv()).split('\n').filter((line) => line.includes(',ear,'))).toEqual([]);
  await page.locator('#doubt-attribute').scrollIntoViewIfNeeded();
  await look(page, 'doubted');
  await page.getByRole('button', { name: 'Take back' }).click();
  await expect(page.getByText(/taken back/)).toBeVisible();
  expect((await csv()).split('\n').filter((line) => line.includes(',ear,')).length).toBeGreaterThan(0);
  await page.getByRole('button', { name: 'End the pause' }).click();
  await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeVisible();
  await open(ann.page, `${project}/annotate`);
  await expect(panel(ann.page)).toBeVisible();
});

test('the lead sees how far the project is', async () => {
  const { page } = lead;
  await open(page, `${project}/progress`);
  await expect(page.getByText('Time left = median time a photo')).toBeVisible();
  await look(page, 'progress');
  await page.emulateMedia({ colorScheme: 'dark' });
  await look(page, 'dark-progress');
  await open(page, `${project}/gold`);
  await look(page, 'dark-gold');
});

test('a decision becomes gold with one click', async () => {
  const { page } = lead;
  await page.emulateMedia({ colorScheme: null });
  await kenami.cli('labels', 'import', 'pets', await disputed());
  await open(page, `${project}/disagreements`);
  await page.locator('main a[href*="photo="]').first().click();
  // The review comes within the page: keys are for what shows.
  await expect(page.getByRole('heading', { name: 'Which answer holds?' })).toBeVisible();
  await page.keyboard.press('1');
  await page.keyboard.press('e');
  await page.getByRole('button', { name: /^Decide/ }).click();
  await expect(page.getByText('Decided:')).toBeVisible();
  await page.getByRole('button', { name: 'Make gold' }).click();
  await expect(page.getByText('This answer is gold now.')).toBeVisible();
  await look(page, 'review-gold');
  await open(page, `${project}/gold`);
  const first = page.getByRole('table', { name: 'Gold answers' }).getByRole('row').nth(1);
  await expect(first).toContainText('samoyed');
  await first.getByRole('button', { name: /^Remove/ }).click();
  await expect(first).not.toContainText('samoyed');
});

/** A file of labels by two names that differ on the ear of one photo that is not gold. */
async function disputed(): Promise<string> {
  const { mkdtemp, writeFile } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const file = join(await mkdtemp(join(tmpdir(), 'kenami-labels-')), 'labels.csv');
  const name = [...truth.keys()].find((key) => key.startsWith('samoyed_'))!;
  await writeFile(file, `image,annotator,attribute,answer\n${name},x,ear,erect\n${name},y,ear,drop\n`);
  return file;
}
