/** How hard the model works: the engine's rests, what asks for them, and that they outlive a worker. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EngineClient } from 'web-mamba';
import { DutyCycle } from '../engine/src/worker/duty-cycle';
import { dutyCycleFor, efforts } from '../src/models/effort';
import { FakeWorker, soundCalls } from './fake-worker';

describe('the engine', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  /** Milliseconds that it rests after steps of so many. */
  async function rests(share: number, steps: readonly number[]): Promise<number[]> {
    const duty = new DutyCycle();
    duty.set(share);
    const rested: number[] = [];
    for (const worked of steps) {
      const began = performance.now();
      const rest = duty.rest(worked);
      await vi.runAllTimersAsync();
      await rest;
      rested.push(performance.now() - began);
    }
    return rested;
  }

  test('rests after a step for as long as its share asks', async () => {
    expect(await rests(1, [100, 5000])).toEqual([0, 0]);
    expect(await rests(0.5, [100, 30])).toEqual([100, 30]);
    expect(await rests(0.25, [20])).toEqual([60]);
  });

  test('gathers rests that no timer is fine enough for, and rests no longer than two seconds', async () => {
    const rested = await rests(0.5, Array.from({ length: 10 }, () => 1));
    expect(rested.filter((rest) => rest > 0)).toEqual([4, 4]);
    expect(await rests(0.5, [60_000])).toEqual([2000]);
  });

  test('is woken at once', async () => {
    const duty = new DutyCycle();
    duty.set(0.5);
    for (const wake of [() => duty.wake(), () => duty.set(1)]) {
      const rest = duty.rest(1000);
      wake();
      await rest;
      duty.set(0.5);
    }
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('a worker that takes the place of another works as hard as that did', async () => {
  const posted: unknown[] = [];
  const workers: FakeWorker[] = [];
  const start = () => {
    const worker = new FakeWorker({ ...soundCalls(), setDutyCycle: async () => undefined });
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (data: unknown) => (posted.push(data), post(data));
    workers.push(worker);
    return worker;
  };
  const client = new EngineClient({ start, hasGpu: async () => false });
  expect(posted).toEqual([]);
  await client.setDutyCycle(0.5);
  workers[0]?.fault();
  await new Promise((resolve) => setTimeout(resolve));
  posted.length = 0;
  await client.stored();
  expect(posted[0]).toEqual({ dutyCycle: 0.5 });
});

test('a visitor’s choice, the battery and whether the page is seen decide it', () => {
  const situations = [[false, false], [true, false], [false, true], [true, true]].map(([hidden = false, onBattery = false]) => ({ hidden, onBattery }));
  const table = efforts.map((effort) => [effort, ...situations.map((situation) => dutyCycleFor(effort, situation))]);
  expect(table).toEqual([['auto', 1, 0.5, 0.5, 0.5], ['full', 1, 1, 1, 1], ['gentle', 0.5, 0.5, 0.5, 0.5]]);
});
