// Runs in the network of the cluster under test: asks each target twice a second and prints a line when its answer changes.
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from './watch-components.ts';

const EVERY_MS = 500;
const PATIENCE_MS = 2000;

// Its parent holds the other end: whatever becomes of that one, this ends with it.
process.stdin.resume().once('end', () => process.exit(0));
const targets = JSON.parse(process.argv[2] ?? '[]') as readonly Target[];
await Promise.all(targets.map(watch));

async function watch({ what, url, alive }: Target): Promise<void> {
  let up = true;
  for (;;) {
    const at = Date.now();
    const now = await answers(url, alive);
    if (now !== up) console.log(JSON.stringify({ what, up: now, at: now ? Date.now() : at }));
    up = now;
    await sleep(Math.max(0, at + EVERY_MS - Date.now()));
  }
}

function answers(url: string, alive: Target['alive']): Promise<boolean> {
  return new Promise((done) => {
    // A health endpoint is asked, and nothing is told to it: who it is does not matter here.
    const ask = url.startsWith('https') ? https : http;
    const asked = ask(url, { rejectUnauthorized: false, timeout: PATIENCE_MS, agent: false }, (response) => {
      response.resume();
      done(alive === 'AnyAnswer' || response.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => done(false));
    asked.once('close', () => done(false));
    asked.end();
  });
}
