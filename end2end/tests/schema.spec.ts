// A lead changes attributes and values: what it does to labels is shown first, and the newest change can be undone.
import { expect, test } from '@playwright/test';

import { Demo, startDemo } from '../support/demo';
import { look, open } from '../support/people';

test.describe.configure({ mode: 'serial' });

let demo: Demo;

test.beforeAll(async ({ browser }) => {
  demo = await startDemo(browser);
});

test.afterAll(async () => {
  await demo?.context.close();
  await demo?.kenami.dispose();
});

const dialog = () => demo.page.getByRole('dialog', { name: 'Change attributes' });
const coat = () => demo.page.getByRole('region', { name: 'Values of Coat' });
const labels = async (value: string) => {
  const row = coat().getByRole('row').filter({ has: demo.page.getByRole('rowheader', { name: new RegExp(`^${value}`) }) });
  return Number((await row.getByRole('cell').nth(1).innerText()).replace(/\D/g, ''));
};

test('the page shows attributes with their labels', async () => {
  const { page, project } = demo;
  await open(page, `${project}/settings`);
  await page.getByRole('link', { name: 'Change attributes' }).click();
  await expect(page.getByRole('heading', { name: 'Attributes', exact: true })).toBeVisible();
  await expect(coat()).toBeVisible();
  await expect(page.getByText('Nothing has been changed yet')).toBeVisible();
  await look(page, 'schema');
});

test('values are merged with their labels, and come back', async () => {
  const { page } = demo;
  const [wire, curly] = [await labels('Wire'), await labels('Curly')];
  expect(wire).toBeGreaterThan(0);
  await coat().getByRole('button', { name: 'Merge Wire' }).click();
  await dialog().getByLabel('Becomes').selectOption({ label: 'Curly' });
  await expect(dialog().getByText(new RegExp(`^${wire} labels? moves?`))).toBeVisible();
  await look(page, 'schema-merge');
  await dialog().getByRole('button', { name: 'Change', exact: true }).click();
  await expect(dialog()).toBeHidden();
  await expect.poll(() => labels('Curly')).toBe(wire + curly);
  await expect(page.getByText('coat: merged wire into curly')).toBeVisible();
  await look(page, 'schema-merged');
  await page.getByRole('button', { name: 'Undo: coat: merged wire into curly' }).click();
  await expect(page.getByText(/undone by owner/)).toBeVisible();
  await expect.poll(async () => [await labels('Wire'), await labels('Curly')]).toEqual([wire, curly]);
});

test('a value is called something else, and its labels stay', async () => {
  const { page } = demo;
  const before = await labels('Curly');
  await coat().getByRole('button', { name: 'Rename Curly' }).click();
  const [english, japanese] = [dialog().getByLabel('Name of curly in English'), dialog().getByLabel('Name of curly in 日本語')];
  await english.fill('Ringlets');
  await japanese.fill('巻き毛のコート');
  await expect(dialog().getByText(new RegExp(`^Curly → Ringlets, .* → 巻き毛のコート: ${before} labels stay as they are`))).toBeVisible();
  await look(page, 'schema-rename');
  await dialog().getByRole('button', { name: 'Change', exact: true }).click();
  await expect(dialog()).toBeHidden();
  await expect.poll(() => labels('Ringlets')).toBe(before);
  await expect(page.getByText('coat: renamed curly')).toBeVisible();
  await look(page, 'schema-renamed');
  // From the guideline it is the same change, with all names at once.
  await open(page, `${demo.project}/guidelines/coat`);
  await page.getByRole('button', { name: 'Names', exact: true }).click();
  const names = page.getByRole('dialog', { name: 'Names' });
  await names.getByLabel('Name of coat in English').fill('Fur');
  await expect(names.getByText(/^Coat → Fur: \d+ labels stay as they are/)).toBeVisible();
  await look(page, 'schema-names');
  await names.getByRole('button', { name: 'Change', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Guideline: Fur' })).toBeVisible();
  await open(page, `${demo.project}/schema`);
  await page.getByRole('button', { name: 'Undo: Renamed the attribute coat' }).click();
  await expect(coat()).toBeVisible();
  await page.getByRole('button', { name: 'Undo: coat: renamed curly' }).click();
  await expect.poll(() => labels('Curly')).toBe(before);
});

test('a split value says which photos go back', async () => {
  const { page } = demo;
  await coat().getByRole('button', { name: 'Split Curly' }).click();
  await dialog().getByLabel('New values').fill('wavy = Wavy');
  await expect(dialog().getByText(/labels are in doubt/)).toBeVisible();
  await look(page, 'schema-split');
  await dialog().getByRole('button', { name: 'Change', exact: true }).click();
  await expect(coat().getByRole('rowheader', { name: /^Wavy/ })).toBeVisible();
  await page.getByRole('button', { name: /^Undo: coat: split/ }).click();
  await expect(coat().getByRole('rowheader', { name: /^Wavy retired/ })).toBeVisible();
});

test('two breeds become one with their photos', async () => {
  const { page } = demo;
  const breeds = page.getByRole('region', { name: 'Values of Breed' });
  const photos = async (key: string) => {
    const row = breeds.getByRole('row').filter({ has: page.getByRole('cell', { name: key, exact: true }) });
    return Number((await row.getByRole('cell').nth(1).innerText()).replace(/\D/g, ''));
  };
  // The card is made anew with what it shows: its values are opened each time.
  const unfold = async () => {
    const card = page.locator('section.card').filter({ has: page.getByRole('heading', { name: /^Breed/ }) });
    await card.locator('summary').click();
    await expect(breeds).toBeVisible();
  };
  await unfold();
  const [ragdoll, birman] = [await photos('Ragdoll'), await photos('Birman')];
  expect(ragdoll * birman).toBeGreaterThan(0);
  await breeds.getByRole('button', { name: 'Merge Ragdoll' }).click();
  await dialog().getByLabel('Becomes').selectOption({ label: 'Birman' });
  await expect(dialog().getByText(new RegExp(`^${ragdoll} photos? moves?`))).toBeVisible();
  await look(page, 'schema-breeds');
  await dialog().getByRole('button', { name: 'Change', exact: true }).click();
  await expect(page.getByText('breed: merged Ragdoll into Birman')).toBeVisible();
  await unfold();
  await expect.poll(() => photos('Birman')).toBe(ragdoll + birman);
  const undo = page.getByRole('button', { name: 'Undo: breed: merged Ragdoll into Birman' });
  await undo.click();
  await expect(undo).toBeHidden();
  await unfold();
  await expect.poll(async () => [await photos('Ragdoll'), await photos('Birman')]).toEqual([ragdoll, birman]);
});

test('an attribute is added from the answers of another, and mistakes are named', async () => {
  const { page } = demo;
  await page.getByRole('button', { name: 'Add an attribute' }).click();
  await dialog().getByLabel('Key', { exact: true }).fill('coat');
  await dialog().getByLabel('Values').fill('plain = Plain\nfluffy = Fluffy');
  await expect(dialog().getByRole('alert')).toContainText('there is an attribute `coat` already');
  await dialog().getByLabel('Key', { exact: true }).fill('texture');
  await dialog().getByLabel('Name', { exact: true }).fill('Texture');
  await dialog().getByLabel('First labels from').selectOption({ label: 'Coat' });
  await dialog().getByLabel('Curly', { exact: true }).selectOption({ label: 'Fluffy' });
  await expect(dialog().getByText(/labels move/)).toBeVisible();
  await look(page, 'schema-add');
  await dialog().getByRole('button', { name: 'Change', exact: true }).click();
  const texture = page.getByRole('region', { name: 'Values of Texture' });
  await expect(texture).toBeVisible();
  await page.getByRole('button', { name: 'Move Texture up' }).click();
  await expect(page.getByText(/^Attributes in order: .*texture, body/)).toBeVisible();
});
