// From dispute to rule: a confused pair, its photos, the amended rule, its publication, and what it does to agreement.
import { BrowserContext, expect, Page, test } from '@playwright/test';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { openPhoto } from '../support/annotating';
import { Kenami } from '../support/kenami';
import { hydrated, join_, look, newcomer, open } from '../support/people';
import { smallSet } from '../support/photos';
import { ATTRIBUTES, readTruth, Truth } from '../support/truth';

test.describe.configure({ mode: 'serial' });

/** Their ears are where ann and ben differ. */
const VAGUE = 'Abyssinian';
let kenami: Kenami;
let project: string;
let folder: string;
let truth: Truth;
let token: string;
let lead: { context: BrowserContext; page: Page };
let ann: { context: BrowserContext; page: Page };
let ben: { context: BrowserContext; page: Page };
/** The ear that each annotator gave, by photo. */
const ears: Record<string, Map<string, string>> = { ann: new Map(), ben: new Map() };
let vague: string[];
let decided: string;

test.beforeAll(async ({ browser }) => {
  kenami = await Kenami.start({ empty: true });
  project = `${kenami.url}/p/pets`;
  truth = await readTruth();
  [lead, ann, ben] = [await newcomer(browser), await newcomer(browser), await newcomer(browser)];
  await join_(lead.page, await kenami.firstAdministratorLink(), 'lead');
  ({ folder } = await smallSet([VAGUE, 'Sphynx', 'beagle', 'pug', 'samoyed']));
  await kenami.cli('import', 'pets', folder);
  for (const [person, name] of [[ann, 'ann'], [ben, 'ben']] as const) {
    await open(lead.page, `${project}/members`);
    await lead.page.getByRole('button', { name: 'Make a link' }).click();
    await join_(person.page, await lead.page.getByLabel('The link').inputValue(), name);
  }
  const images = truth.images.filter((image) => /^(Abyssinian|Sphynx|beagle|pug|samoyed)_/.test(image));
  vague = images.filter((image) => image.startsWith(VAGUE));
  const unsure = images.find((image) => image.startsWith('beagle'))!;
  const lines = ['image,annotator,attribute,answer,duration_ms,note'];
  for (const annotator of ['ann', 'ben']) {
    for (const image of images) {
      for (const attribute of ATTRIBUTES) {
        let answer = truth.answer(image, attribute);
        let note = '';
        if (attribute === 'ear') {
          if (vague.includes(image)) answer = annotator === 'ann' ? 'erect' : 'semi_erect';
          else if (answer === 'unsure') answer = 'drop';
          if (image === unsure && annotator === 'ben') [answer, note] = ['unsure', 'It shakes its head'];
          ears[annotator].set(image, answer);
        }
        lines.push(`${image},${annotator},${attribute},${answer},1500,${note}`);
      }
    }
  }
  const file = join(folder, 'votes.csv');
  await writeFile(file, lines.join('\n') + '\n');
  await kenami.cli('labels', 'import', 'pets', file);
  token = (await kenami.cli('admin', 'token', 'lead')).trim();
});

test.afterAll(async () => {
  await Promise.all([lead, ann, ben].map((person) => person?.context.close()));
  await kenami?.dispose();
  if (folder) await rm(folder, { recursive: true });
});

const api = (path: string) => `${kenami.url}/api/v1/projects/pets/${path}`;
/** Asks as a script does, without the browser's session. */
async function asked(path: string, body?: unknown): Promise<any> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const method = body === undefined ? 'GET' : 'POST';
  return (await fetch(api(path), { method, headers, body: JSON.stringify(body) })).json();
}
const dialog = () => lead.page.getByRole('dialog');

test('the page names the confused pair first, with what it costs', async () => {
  const { page } = lead;
  await open(page, project);
  await page.getByRole('navigation', { name: /^Project/ }).getByRole('link', { name: 'Agreement', exact: true }).click();
  const first = page.getByRole('table', { name: 'Confused answers' }).getByRole('row').nth(1);
  await expect(first.getByRole('rowheader')).toHaveText(/^Erect \/ Semi erect$/i);
  await expect(first.getByRole('cell').nth(2)).toHaveText(String(vague.length));
  const { confused, alpha } = (await asked('agreement/report')).attributes.ear;
  expect(confused[0]).toMatchObject({ a: 'erect', b: 'semi_erect', items: vague.length });
  expect(confused[0].alpha_without).toBeCloseTo(alpha + confused[0].cost, 9);
  await look(page, 'agreement');
});

test('figures show in parts, undefined ones with the reason', async () => {
  const { page } = lead;
  const parts = page.getByRole('navigation', { name: 'Figures by' });
  await parts.getByRole('link', { name: 'Breed' }).click();
  await hydrated(page);
  const ear = page.getByRole('table', { name: /^Figures of ear/i });
  // The least agreeing breed comes first.
  await expect(ear.getByRole('row').nth(1).getByRole('rowheader')).toHaveText('Abyssinian');
  await expect(ear.getByRole('row').nth(1)).toContainText('0.0 %');
  await look(page, 'agreement-breed');
  await parts.getByRole('link', { name: 'Pair of annotators' }).click();
  await expect(ear.getByRole('row').nth(1).getByRole('rowheader')).toHaveText('ann / ben');
  await parts.getByRole('link', { name: 'Guideline version' }).click();
  await expect(ear.getByRole('row').nth(1).getByRole('rowheader')).toHaveText('Unknown (imported)');
  await parts.getByRole('link', { name: 'Week' }).click();
  await expect(ear.getByRole('row').nth(1).getByRole('rowheader')).toHaveText(/^20\d\d-W\d\d$/);
  await parts.getByRole('link', { name: 'Attribute' }).click();
  await expect(page.getByRole('table', { name: 'Figures by attribute' })).toContainText('[');
});

test('its photos stand in one grid, each with the camps and the way to its review', async () => {
  const { page } = lead;
  await page.getByRole('link', { name: /^Erect \/ Semi erect$/i }).click();
  await expect(page.locator('.camp')).toHaveCount(vague.length);
  await expect(page.locator('.camp').first()).toContainText(/Erect 1/);
  await look(page, 'agreement-pair');
  // One of them is decided first.
  decided = (await page.locator('.camp img').first().getAttribute('alt'))!;
  await page.getByRole('link', { name: `Review ${decided}` }).click();
  await expect(page.getByRole('heading', { name: 'The rules' })).toBeVisible();
  await page.keyboard.press(String(1 + truth.values.ear.indexOf('semi_erect')));
  await page.keyboard.press('r');
  await page.getByLabel('Reason').fill('The tip bends at rest.');
  await page.getByRole('button', { name: /^Decide/ }).click();
  await expect(page.getByText('Decided:')).toBeVisible();
  await open(page, `${project}/agreement/ear/erect/semi_erect`);
  await expect(page.locator('.camp', { hasText: 'decided:' })).toHaveCount(1);
});

test('chosen photos become examples of the next version', async () => {
  const { page } = lead;
  await page.getByRole('button', { name: 'Choose all on this page' }).click();
  const open_ = vague.length - 1;
  await expect(page.getByText(`Say which value ${open_} photos show`)).toBeVisible();
  await expect(page.getByRole('button', { name: 'Amend the rule' })).toBeDisabled();
  for (let side = 0; side < open_; side += 1) {
    await page.getByRole('group', { name: 'What it shows' }).nth(side).getByRole('button', { name: /^Erect$/i }).click();
  }
  await expect(page.getByText(`${vague.length} photos chosen`)).toBeVisible();
  await look(page, 'agreement-chosen');
  await page.getByRole('button', { name: 'Amend the rule' }).click();
  await page.waitForURL('**/guidelines/ear?edit=yes*');
  await expect(page.getByText('The photos are examples now')).toBeVisible();
  const rule = (name: RegExp) => page.locator('.rule-editor', { has: page.getByRole('heading', { name }) });
  await expect(rule(/^Semi erect$/i).getByAltText(decided)).toBeVisible();
  await expect(rule(/^Semi erect$/i).locator(`input[value="The tip bends at rest."]`)).toBeVisible();
  for (const image of vague.filter((name) => name !== decided)) {
    await expect(rule(/^Erect$/i).getByAltText(image)).toBeVisible();
  }
  await page.getByLabel('Introduction').fill('Look at the tip, **at rest**.');
  await look(page, 'guideline-amended');
});

/** Undecided photos and votes of which `meant` is true. */
function planted(meant: (image: string, annotator: string) => boolean): { labels: number; photos: number } {
  const found = Object.keys(ears).flatMap((annotator) =>
    [...ears[annotator].keys()].filter((image) => image !== decided && meant(image, annotator)),
  );
  return { labels: found.length, photos: new Set(found).size };
}

test('the count of what comes back follows the choice, and is what the publication takes', async () => {
  const { page } = lead;
  await page.getByRole('button', { name: 'Publish…' }).click();
  await page.getByLabel('What changed, and why').fill('A bend at the tip decides.');
  const said = ({ labels, photos }: { labels: number; photos: number }) =>
    expect(dialog()).toContainText(`Back in the queue: ${labels} label${labels === 1 ? '' : 's'} on ${photos} photo${photos === 1 ? '' : 's'}.`);
  const ofPair = (image: string, annotator: string) => ['erect', 'semi_erect'].includes(ears[annotator].get(image)!);
  // The pair that one comes from is chosen.
  await said(planted(ofPair));
  await expect(dialog()).toContainText('2 more stay');
  await page.getByLabel(/^All answers/).check();
  await said(planted(() => true));
  await page.getByLabel('Only unsure answers').check();
  await said(planted((image, annotator) => ears[annotator].get(image) === 'unsure'));
  await page.getByLabel('Only unsure answers').uncheck();
  await page.getByLabel(/^Some answers/).check();
  await page.getByLabel('Given since (UTC)').fill('2099-01-01');
  await said({ labels: 0, photos: 0 });
  await page.getByLabel('Given since (UTC)').fill('');
  await page.getByLabel('Only where answers differ').check();
  const disputed = planted((image) => vague.includes(image));
  await said(disputed);
  await look(page, 'guideline-publish');
  const scope = { values: ['erect', 'semi_erect'], only_disputed: true };
  expect(await asked('guidelines/ear/doubt', scope)).toEqual({ ...disputed, decided: 2 });
  await dialog().getByRole('button', { name: 'Publish', exact: true }).click();
  await expect(page.getByText('Version 2 is in force.')).toBeVisible();
  const before = page.locator('.version').first().getByRole('row', { name: /^Before/ });
  await expect(before).toContainText(`${vague.length - 1}`);
  await expect(before).toContainText('0 %');
});

test('those who gave the labels have exactly these photos again, and agree', async () => {
  const key = String(1 + truth.values.ear.indexOf('erect'));
  for (const { page } of [ann, ben]) {
    await open(page, `${project}/annotate`);
    await expect(page.getByText('The guideline has changed.')).toBeVisible();
    const names: string[] = [];
    for (let photo = 1; photo < vague.length; photo += 1) {
      const name = await openPhoto(page);
      names.push(name);
      await page.keyboard.press(key);
      if (photo + 1 < vague.length) await expect.poll(() => openPhoto(page)).not.toBe(name);
    }
    await expect(page.getByText('All done')).toBeVisible();
    expect(names.sort()).toEqual(vague.filter((name) => name !== decided).sort());
  }
});

test('agreement before and after stands on the version', async () => {
  const { page } = lead;
  await open(page, `${project}/guidelines/ear`);
  const version = page.locator('.version').first();
  await expect(version.getByRole('row', { name: /^Before/ })).toContainText('0 %');
  await expect(version.getByRole('row', { name: /^After/ })).toContainText('100 %');
  await look(page, 'guideline-effect');
  const { items } = await asked('guidelines/ear/versions');
  expect(items[0]).toMatchObject({ version: 2, compared: 'returned', photos: vague.length - 1, labels: 2 * (vague.length - 1) });
  expect(items[0].before).toMatchObject({ photos: vague.length - 1, percent: 0 });
  expect(items[0].after).toMatchObject({ photos: vague.length - 1, percent: 1 });
  // The pair is no longer confused but on the decided photo.
  await open(page, `${project}/agreement/ear/erect/semi_erect`);
  await expect(page.locator('.camp')).toHaveCount(1);
  await page.emulateMedia({ colorScheme: 'dark' });
  await open(page, `${project}/agreement`);
  await look(page, 'dark-agreement');
  await page.emulateMedia({ colorScheme: 'light' });
});
