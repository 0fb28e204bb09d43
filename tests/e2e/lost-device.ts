/** Lets a test destroy the engine's device, as a driver's reset would: the app itself has no such handle. */
import type { Page } from 'playwright-core';

const HOOK = `
  const devices = [];
  const original = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...rest) {
    const device = await original.apply(this, rest);
    devices.push(device);
    return device;
  };
  new BroadcastChannel('lose-device').onmessage = ({ data }) => {
    if (data === 'for good') GPU.prototype.requestAdapter = async () => null;
    devices.at(-1)?.destroy();
  };
`;

/** To be called before the page loads its worker. */
export async function makeLosable(page: Page): Promise<void> {
  await page.route('**/*worker*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: HOOK + (await response.text()) });
  });
}

export async function loseDevice(page: Page): Promise<void> {
  await page.evaluate(() => new BroadcastChannel('lose-device').postMessage('now'));
}

/** The same, after which no GPU is to be had any more: a driver that does not come back. */
export async function loseDeviceForGood(page: Page): Promise<void> {
  await page.evaluate(() => new BroadcastChannel('lose-device').postMessage('for good'));
}
