// All pages of a server with the demo project, a dataset and a finished run, for tests that walk over every page.
import { Browser, expect, Page } from '@playwright/test';

import { freezeAndTrain } from './demo';
import { Kenami } from './kenami';
import { join_, newcomer, open } from './people';

/** The account that has seen everything: administrator and lead. */
export const OWNER = 'owner';

/** Makes the account, a dataset `v1` and a finished run, and shows breed standards as suggestions. */
export async function furnish(kenami: Kenami, browser: Browser): Promise<void> {
  const project = `${kenami.url}/p/pets-demo`;
  const { context, page } = await newcomer(browser);
  await join_(page, await kenami.firstAdministratorLink(), OWNER);
  await open(page, `${project}/suggestions`);
  await page.getByLabel('From', { exact: true }).selectOption('standards');
  await page.getByLabel('Answered without suggestions').fill('0');
  await page.getByRole('button', { name: 'Suggest', exact: true }).click();
  await expect(page.getByText(/ear: 185 photos/i)).toBeVisible();
  await freezeAndTrain(page, project, 'epochs = 2');
  await context.close();
}

/** A page, and what opens on it. */
export interface Stop {
  name: string;
  path: string;
  /** Brings the page into the state that is to be looked at. */
  then?: (page: Page) => Promise<void>;
}

const dialogOf = (selector: string) => async (page: Page) => {
  await page.locator(selector).first().click();
  await expect(page.locator('dialog[open]')).toBeVisible();
};

/** What a lead who administers the server can see, in any language. */
export function stops(): Stop[] {
  const p = '/p/pets-demo';
  const photo = async (page: Page) => {
    await expect(page.locator('.annotate-stage img').first()).toBeVisible();
  };
  return [
    { name: 'projects', path: '/' },
    { name: 'account', path: '/account' },
    { name: 'users', path: '/admin/users' },
    { name: 'overview', path: p },
    { name: 'annotate', path: `${p}/annotate`, then: photo },
    {
      name: 'annotate-keys',
      path: `${p}/annotate`,
      then: async (page) => {
        await photo(page);
        await page.keyboard.press('?');
        await expect(page.locator('dialog[open]')).toBeVisible();
      },
    },
    {
      name: 'grid',
      path: `${p}/grid`,
      then: async (page) => {
        await expect(page.locator('.grid-tile').first()).toBeVisible();
        await page.keyboard.press('2');
        await page.keyboard.press('w');
      },
    },
    { name: 'suggestions', path: `${p}/suggestions` },
    { name: 'guidelines', path: `${p}/guidelines` },
    { name: 'guideline', path: `${p}/guidelines/coat` },
    {
      name: 'guideline-editor',
      path: `${p}/guidelines/coat`,
      then: async (page) => {
        await page.locator('.page-actions .button-primary').click();
        await expect(page.locator('#introduction')).toBeVisible();
      },
    },
    { name: 'guideline-names', path: `${p}/guidelines/coat`, then: dialogOf('.page-actions button:not(.button-primary)') },
    { name: 'disagreements', path: `${p}/disagreements` },
    {
      name: 'review',
      path: `${p}/disagreements`,
      then: async (page) => {
        await page.locator('.dispute').first().click();
        await expect(page.locator('#decision-reason')).toBeVisible();
        await page.locator('.earlier summary').click();
      },
    },
    { name: 'agreement', path: `${p}/agreement` },
    { name: 'agreement-pairs', path: `${p}/agreement?by=pairs` },
    { name: 'agreement-breed', path: `${p}/agreement?by=breed` },
    {
      name: 'confused-photos',
      path: `${p}/agreement`,
      then: async (page) => {
        await page.locator('tbody th a').first().click();
        await page.locator('.editor-bar .button').nth(1).click();
        await expect(page.locator('.camp-chosen').first()).toBeVisible();
      },
    },
    { name: 'datasets', path: `${p}/datasets` },
    { name: 'freeze', path: `${p}/datasets`, then: dialogOf('.page-actions .button-primary') },
    { name: 'dataset', path: `${p}/datasets/v1` },
    { name: 'runs', path: `${p}/runs` },
    {
      name: 'run-start',
      path: `${p}/runs`,
      then: async (page) => {
        await dialogOf('.page-actions .button-primary')(page);
        await page.locator('.run-more summary').click();
      },
    },
    { name: 'run', path: `${p}/runs/1` },
    { name: 'progress', path: `${p}/progress` },
    { name: 'report', path: `${p}/report` },
    { name: 'gold', path: `${p}/gold` },
    { name: 'annotators', path: `${p}/annotators` },
    { name: 'quiz', path: `${p}/quiz` },
    { name: 'import', path: `${p}/import` },
    {
      name: 'annotator',
      path: `${p}/annotators`,
      then: async (page) => {
        await page.locator('tbody th a').first().click();
        await expect(page.locator('#doubt-attribute')).toBeVisible();
      },
    },
    { name: 'members', path: `${p}/members` },
    { name: 'settings', path: `${p}/settings` },
    { name: 'schema', path: `${p}/schema` },
    {
      name: 'schema-add',
      path: `${p}/schema`,
      then: async (page) => {
        await dialogOf('.page-actions .button-primary')(page);
        await page.locator('#attribute-source').selectOption('coat');
        await expect(page.locator('.schema-map')).toBeVisible();
      },
    },
    { name: 'run-errors', path: `${p}/runs/1/errors` },
    { name: 'pay', path: `${p}/pay` },
    { name: 'learning-loop', path: `${p}/loop` },
    { name: 'not-found', path: '/no-such-page' },
    { name: 'not-there', path: `${p}/datasets/no-such-dataset` },
  ];
}

/** Opens a stop and waits until it stands still. */
export async function visit(page: Page, url: string, stop: Stop): Promise<void> {
  await open(page, `${url}${stop.path}`);
  await stop.then?.(page);
  await expect(page.locator('.loading')).toHaveCount(0);
}
