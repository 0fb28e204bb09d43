/** Whether the page is seen, and whether the machine runs on its battery, as far as the browser says. */

/** Not every browser has it, and TypeScript's library has not. */
interface Battery extends EventTarget {
  charging: boolean;
}

export function watchSituation(listener: (situation: { hidden: boolean; onBattery: boolean }) => void): void {
  let battery: Battery | undefined;
  const tell = () => listener({ hidden: document.visibilityState === 'hidden', onBattery: battery?.charging === false });
  document.addEventListener('visibilitychange', tell);
  tell();
  const { getBattery } = navigator as { getBattery?: () => Promise<Battery> };
  // A policy may forbid it.
  getBattery?.call(navigator).then((found) => {
    battery = found;
    battery.addEventListener('chargingchange', tell);
    tell();
  }).catch(() => undefined);
}
