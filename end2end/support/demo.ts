// The demo project as a test begins with it, and a run on its labels.
import { Browser, BrowserContext, expect, Page } from '@playwright/test';

import { Kenami } from './kenami';
import { hydrated, join_, newcomer, open } from './people';

/** A server with the demo project, and its first administrator at a browser. */
export interface Demo {
  kenami: Kenami;
  /** Address of the demo project. */
  project: string;
  context: BrowserContext;
  page: Page;
}

/** Starts a server, waits for its demo project and makes the first administrator, `owner`. */
export async function startDemo(browser: Browser): Promise<Demo> {
  const kenami = await Kenami.start();
  await kenami.demoLoaded();
  const { context, page } = await newcomer(browser);
  await join_(page, await kenami.firstAdministratorLink(), 'owner');
  return { kenami, project: `${kenami.url}/p/pets-demo`, context, page };
}

/** Freezes a dataset `v1`, trains on it as the configuration says, and waits for the results. */
export async function freezeAndTrain(page: Page, project: string, configuration: string): Promise<void> {
  await open(page, `${project}/datasets`);
  await page.getByRole('button', { name: 'Freeze a dataset' }).first().click();
  await page.getByRole('dialog').getByLabel('Name').fill('v1');
  await page.getByRole('dialog').getByRole('button', { name: 'Freeze' }).click();
  await page.waitForURL('**/datasets/v1');
  await page.getByRole('link', { name: 'Train on it' }).click();
  await hydrated(page);
  const dialog = page.getByRole('dialog');
  if (!(await dialog.isVisible())) await page.getByRole('button', { name: 'Start a run' }).first().click();
  await dialog.getByLabel('Configuration (TOML)').fill(configuration);
  await dialog.getByRole('button', { name: 'Start' }).click();
  await page.waitForURL(/\/runs\/\d+$/);
  await expect(page.getByRole('heading', { name: 'Results' })).toBeVisible({ timeout: 120_000 });
}
