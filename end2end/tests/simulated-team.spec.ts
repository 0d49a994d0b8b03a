// A simulated team on demo photos: a vague rule, and somebody who does not look. After fifty double-labelled photos the pages
// name both; the amendment sends back the labels of the vague rule and no others; consensus beats majority.
import { BrowserContext, expect, Page, test } from '@playwright/test';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { openPhoto } from '../support/annotating';
import { Kenami } from '../support/kenami';
import { join_, look, newcomer, open } from '../support/people';
import { smallSet } from '../support/photos';
import { labelsCsv, simulate, SPAMMER, VAGUE, Vote, votesCsv } from '../support/team';
import { ATTRIBUTES, readTruth, Truth } from '../support/truth';

test.describe.configure({ mode: 'serial' });

const BREEDS = [
  'Birman', 'Maine_Coon', 'Persian', 'Ragdoll', 'beagle', 'english_setter', 'great_pyrenees', 'leonberger', 'newfoundland', 'pug',
];
const SEED = 0;
let kenami: Kenami;
let project: string;
let folder: string;
let truth: Truth;
let votes: Vote[];
let lead: { context: BrowserContext; page: Page };
let eve: { context: BrowserContext; page: Page };

test.beforeAll(async ({ browser }) => {
  kenami = await Kenami.start({ empty: true });
  project = `${kenami.url}/p/pets`;
  truth = await readTruth();
  [lead, eve] = [await newcomer(browser), await newcomer(browser)];
  await join_(lead.page, await kenami.firstAdministratorLink(), 'lead');
  ({ folder } = await smallSet(BREEDS));
  await kenami.cli('import', 'pets', folder);
  const images = truth.images.filter((image) => BREEDS.includes(image.replace(/_\d+\.jpg$/, '')));
  expect(images).toHaveLength(50);
  votes = simulate(truth, images, 2, SEED);
  await writeFile(join(folder, 'labels.csv'), labelsCsv(votes));
  await writeFile(join(folder, 'votes.csv'), votesCsv(votes));
  await kenami.cli('labels', 'import', 'pets', join(folder, 'labels.csv'));
});

test.afterAll(async () => {
  await Promise.all([lead, eve].map((person) => person?.context.close()));
  await kenami?.dispose();
  if (folder) await rm(folder, { recursive: true });
});

/** Names of values as the pages have them. */
const named = (value: string) => value[0].toUpperCase() + value.slice(1).replace('_', ' ');
const name = (vote: Vote) => `${vote.image} ${vote.annotator} ${vote.attribute}`;

/** Image, annotator and attribute of every vote that counts. */
async function counted(): Promise<string[]> {
  const csv = await (await lead.context.request.get(`${project}/labels.csv`)).text();
  const rows = csv.trim().split('\n').slice(1).map((line) => line.split(','));
  return rows.map(([image, annotator, attribute]) => `${image} ${annotator} ${attribute}`).sort();
}

test('the page names the planted pair and the spammer', async () => {
  const { page } = lead;
  await open(page, `${project}/agreement`);
  const pair = page.getByRole('table', { name: 'Confused answers' }).getByRole('row').nth(1);
  await expect(pair.getByRole('rowheader')).toHaveText(new RegExp(`^${named(VAGUE.a)} / ${named(VAGUE.b)}$`, 'i'));
  const worst = page.getByRole('table', { name: 'Annotators, least agreeing first' }).getByRole('row').nth(1);
  await expect(worst.getByRole('rowheader')).toHaveText(SPAMMER);
  await look(page, 'team-agreement');
});

test('the amendment sends back the planted labels and no others', async () => {
  const { page } = lead;
  const before = await counted();
  expect(before).toEqual(votes.map(name).sort());
  await page.getByRole('link', { name: new RegExp(`^${named(VAGUE.a)} / ${named(VAGUE.b)}$`, 'i') }).click();
  // Photos on which the vague rule parts the two answers.
  const of = (image: string) => votes.filter((vote) => vote.image === image && vote.attribute === VAGUE.attribute);
  const parted = [...new Set(votes.map((vote) => vote.image))].filter((image) =>
    [VAGUE.a, VAGUE.b].every((value) => of(image).some((vote) => vote.answer === value)),
  );
  expect(parted.length).toBeGreaterThan(5);
  await expect(page.locator('.camp')).toHaveCount(parted.length);
  await look(page, 'team-pair');
  for (const image of parted.slice(0, 4)) {
    await page.getByRole('checkbox', { name: `Choose ${image}` }).check();
    const tile = page.locator('.camp', { has: page.getByRole('checkbox', { name: `Choose ${image}` }) });
    const right = truth.answer(image, VAGUE.attribute) === VAGUE.b ? VAGUE.b : VAGUE.a;
    await tile.getByRole('button', { name: new RegExp(`^${named(right)}$`, 'i') }).click();
  }
  await page.getByRole('button', { name: 'Amend the rule' }).click();
  await expect(page.getByText('The photos are examples now')).toBeVisible();
  await page.getByRole('button', { name: 'Publish…' }).click();
  await page.getByLabel('What changed, and why').fill('Fluffy stands away from the body, long lies along it.');
  await page.getByLabel('Only where answers differ').check();
  const planted = parted.flatMap(of).map(name).sort();
  await expect(page.getByRole('dialog')).toContainText(`Back in the queue: ${planted.length} labels on ${parted.length} photos.`);
  await page.getByRole('dialog').getByRole('button', { name: 'Publish', exact: true }).click();
  await expect(page.getByText('Version 2 is in force.')).toBeVisible();
  const after = await counted();
  expect(before.filter((label) => !after.includes(label))).toEqual(planted);
  expect(after.filter((label) => !before.includes(label))).toEqual([]);

  // The team has no accounts: their photos wait for others.
  await open(page, `${project}/members`);
  await page.getByRole('button', { name: 'Make a link' }).click();
  await join_(eve.page, await page.getByLabel('The link').inputValue(), 'eve');
  await open(eve.page, `${project}/annotate`);
  const given: string[] = [];
  for (let photo = 1; photo <= parted.length; photo += 1) {
    const shown = await openPhoto(eve.page);
    given.push(shown);
    for (const key of ['1', '1', '1']) await eve.page.keyboard.press(key);
    if (photo < parted.length) await expect.poll(() => openPhoto(eve.page)).not.toBe(shown);
  }
  await expect(eve.page.locator('.stage-caption')).toHaveCount(0);
  expect(given.sort()).toEqual(parted.sort());
});

interface Consensus {
  attributes: Record<string, { items: Record<string, { answer: string | null; tied?: string[] }> }>;
}

test('consensus beats majority against the truth', async () => {
  const right = async (method: string) => {
    const out = await kenami.cli('consensus', join(folder, 'votes.csv'), '--method', method, '--json');
    const { attributes }: Consensus = JSON.parse(out);
    let [sum, all] = [0, 0];
    for (const attribute of ATTRIBUTES) {
      for (const [image, item] of Object.entries(attributes[attribute].items)) {
        const answer = truth.answer(image, attribute);
        if (answer === 'unsure') continue;
        all += 1;
        // A tie is worth the chance of guessing right among the tied.
        const guessed = item.tied?.includes(answer) ? 1 / item.tied.length : 0;
        sum += item.answer === answer ? 1 : guessed;
      }
    }
    return sum / all;
  };
  const [majority, dawidSkene, oneCoin] = [await right('majority'), await right('dawid-skene'), await right('one-coin')];
  test.info().annotations.push({ type: 'accuracy', description: JSON.stringify({ majority, dawidSkene, oneCoin }) });
  expect(dawidSkene).toBeGreaterThan(majority + 0.05);
  expect(oneCoin).toBeGreaterThan(majority + 0.05);
});
