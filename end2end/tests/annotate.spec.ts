// The single view: keys of one's own, looking closer, examples beside the photo, taking back, and its setting.
import { BrowserContext, expect, Page, test } from '@playwright/test';

import { answer, openPhoto, painted } from '../support/annotating';
import { startDemo } from '../support/demo';
import { Kenami } from '../support/kenami';
import { look, newcomer, open } from '../support/people';

test.describe.configure({ mode: 'serial' });

let kenami: Kenami;
let project: string;
let context: BrowserContext;
let page: Page;

test.beforeAll(async ({ browser }) => {
  ({ kenami, project, context, page } = await startDemo(browser));
  await open(page, `${project}/annotate`);
  await painted(page);
});

test.afterAll(async () => {
  await context?.close();
  await kenami?.dispose();
});

const stage = () => page.locator('.stage-view');
const shown = () => page.locator('.stage-photo-shown');
/** Scale and shift of the open photo; 1 and nothing for the whole one. */
const zoom = () =>
  shown().evaluate((photo) => {
    const matrix = new DOMMatrix(getComputedStyle(photo).transform);
    return { scale: matrix.a, x: matrix.e, y: matrix.f };
  });

test('ten photos are taken back, and answered again', async () => {
  const names = await answer(page, 11);
  const back: string[] = [];
  for (let photo = 0; photo < 10; photo += 1) {
    await page.keyboard.press('z');
    back.push(await openPhoto(page));
    // The photo's other answers, until nothing is left of it.
    for (let more = 0; more < 2; more += 1) await page.keyboard.press('z');
  }
  expect(back).toEqual(names.slice(1).reverse());
  await page.keyboard.press('z');
  expect(await openPhoto(page), 'not an eleventh').toBe(names[1]);
  await answer(page, 10);
  await expect(page.getByText('all saved')).toBeVisible();
});

test('keys look closer, and the next photo is whole again', async () => {
  const box = await stage().boundingBox();
  for (const key of ['+', '=']) await page.keyboard.press(key);
  expect((await zoom()).scale).toBeCloseTo(2.25);
  await expect(page.getByRole('button', { name: 'Whole photo' })).toContainText('225 %');
  await look(page, 'zoom');
  await page.keyboard.press('-');
  expect((await zoom()).scale).toBeCloseTo(1.5);
  await page.keyboard.press('w');
  expect(await zoom()).toEqual({ scale: 1, x: 0, y: 0 });
  await page.keyboard.press('+');
  await answer(page, 1);
  expect((await zoom()).scale).toBe(1);
  expect(await stage().boundingBox(), 'nothing jumps').toEqual(box);
});

test('the wheel and the mouse look closer and elsewhere', async ({ isMobile }) => {
  test.skip(!!isMobile, 'a phone has neither');
  const box = (await stage().boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, -400);
  await expect.poll(async () => (await zoom()).scale).toBeCloseTo(Math.E, 1);
  await page.mouse.down();
  await page.mouse.move(x + 60, y - 40, { steps: 4 });
  await page.mouse.up();
  expect(await zoom()).toMatchObject({ x: 60, y: -40 });
  await page.mouse.dblclick(x, y);
  await expect.poll(async () => (await zoom()).scale).toBe(1);
  await page.mouse.dblclick(x + 100, y);
  await expect.poll(async () => (await zoom()).scale).toBe(2.5);
  await page.getByRole('button', { name: 'Whole photo' }).click();
  expect((await zoom()).scale).toBe(1);
});

test('two fingers look closer, one looks elsewhere, and a double tap goes back', async ({ isMobile }) => {
  test.skip(!isMobile, 'a phone has fingers');
  const box = (await stage().boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const session = await context.newCDPSession(page);
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...points: number[][]) =>
    session.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  await touch('touchStart', [x - 20, y], [x + 20, y]);
  for (const d of [30, 40, 50]) await touch('touchMove', [x - d, y], [x + d, y]);
  await touch('touchEnd');
  await expect.poll(async () => (await zoom()).scale).toBeCloseTo(2.5, 1);
  await look(page, 'zoom-pinch');
  const before = (await zoom()).x;
  await touch('touchStart', [x, y]);
  for (const d of [15, 30]) await touch('touchMove', [x + d, y]);
  await touch('touchEnd');
  await expect.poll(async () => (await zoom()).x - before).toBeCloseTo(30, 0);
  for (let tap = 0; tap < 2; tap += 1) await page.touchscreen.tap(x, y);
  await expect.poll(async () => (await zoom()).scale).toBe(1);
});

test("the guideline's examples lie beside the photo", async () => {
  const box = await page.locator('.annotate-side').boundingBox();
  await page.keyboard.press('x');
  const examples = page.getByRole('region', { name: 'Examples' });
  await expect(examples.getByRole('heading', { name: 'Ear, examples' })).toBeVisible();
  await expect(examples.locator('img').first()).toBeVisible();
  await expect.poll(() => examples.locator('img').evaluateAll((all: HTMLImageElement[]) => all.every((i) => i.complete))).toBe(true);
  await look(page, 'examples');
  expect(await page.locator('.annotate-side').boundingBox(), 'nothing jumps').toEqual(box);
  await page.keyboard.press('1');
  await expect(examples.getByRole('heading', { name: 'Coat, examples' }), 'they follow the attribute').toBeVisible();
  await page.keyboard.press('z');
  await page.keyboard.press('x');
  await expect(examples).toBeHidden();
});

test('an annotator chooses keys, and what cannot be chosen is refused with its reason', async () => {
  await open(page, `${project}/annotate`);
  await page.keyboard.press('?');
  await expect(page.getByText('One hand is enough')).toBeVisible();
  await look(page, 'keys');
  await page.getByRole('link', { name: 'Choose your own keys' }).click();
  await expect(page.getByRole('heading', { name: 'Keys' })).toBeVisible();
  const row = (name: string) => page.getByRole('table', { name: 'One photo after the other' }).getByRole('row', { name });
  const press = async (name: string, key: string) => {
    await row(name).getByRole('button', { name: /^Change/ }).click();
    await page.keyboard.press(key);
  };
  await press('Take back', 'u');
  await expect(page.getByText('“Unsure” has this key')).toBeVisible();
  await press('Take back', 'F1');
  await expect(page.getByText('belongs to the browser')).toBeVisible();
  await press('Take back', 'Control+y');
  await expect(page.getByText('Keys with Ctrl, Alt or Meta')).toBeVisible();
  await press('Take back', 'ArrowUp');
  await expect(page.getByText('means the same on every page')).toBeVisible();
  await look(page, 'account-keys-refused');
  await press('Take back', 'y');
  await expect(row('Take back')).toContainText('Y');
  await press('Value 1', 'j');
  await expect(row('Value 1')).toContainText('J');
  await row('Value 1').scrollIntoViewIfNeeded();
  await look(page, 'account-keys');
});

test('chosen keys hold at every browser, and rest in fields and with modifiers', async ({ browser }) => {
  const second = await newcomer(browser);
  await second.context.addCookies(await context.cookies());
  await open(second.page, `${project}/annotate`);
  await painted(second.page);
  const pressed = () => second.page.locator('.ask').first().locator('[aria-pressed="true"]').count();
  await second.page.keyboard.press('1');
  await second.page.keyboard.press('Control+j');
  await second.page.keyboard.press('Alt+j');
  expect(await pressed(), 'neither the old key nor one with a modifier').toBe(0);
  await second.page.keyboard.press('j');
  expect(await pressed()).toBe(1);
  await expect(second.page.getByRole('button', { name: 'Undo' }).locator('kbd')).toHaveText('Y');
  await second.page.keyboard.press('y');
  expect(await pressed()).toBe(0);
  await second.page.keyboard.press('u');
  await second.page.keyboard.type('jy1');
  await expect(second.page.getByLabel('What do the rules leave open?')).toHaveValue('jy1');
  await second.page.keyboard.press('Escape');
  await second.context.close();
  await open(page, `${kenami.url}/account`);
  await page.getByRole('button', { name: 'Reset all keys' }).click();
  const row = page.getByRole('table', { name: 'One photo after the other' }).getByRole('row', { name: 'Value 1' });
  await expect(row.locator('kbd')).toHaveText(['1']);
});

test('whether the next photo comes by itself is kept with the account', async () => {
  await open(page, `${project}/annotate`);
  await painted(page);
  const saved = page.waitForResponse((response) => response.url().includes('save_auto_advance') && response.ok());
  await page.getByLabel('auto next').uncheck();
  await saved;
  await open(page, `${project}/annotate`);
  await painted(page);
  await expect(page.getByLabel('auto next')).not.toBeChecked();
  const name = await openPhoto(page);
  for (const key of ['1', '1', '1']) await page.keyboard.press(key);
  await expect(page.getByRole('button', { name: 'Next photo' })).toBeVisible();
  expect(await openPhoto(page)).toBe(name);
  await page.keyboard.press('Enter');
  await expect.poll(() => openPhoto(page)).not.toBe(name);
  await page.getByLabel('auto next').check();
});

test('in the dark', async () => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await open(page, `${project}/annotate`);
  await painted(page);
  await page.keyboard.press('x');
  await page.keyboard.press('+');
  await expect(page.getByRole('region', { name: 'Examples' }).locator('img').first()).toBeVisible();
  await look(page, 'dark-examples');
  await open(page, `${kenami.url}/account#keys`);
  await look(page, 'dark-account-keys');
});
