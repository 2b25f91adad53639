// Milliseconds from navigation until a prompt stands in the terminal, a new profile each time.
//   node e2e/first-prompt.mjs URL [ROUNDS]
import { chromium } from '@playwright/test';

const [url, rounds = '5'] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'],
});
const taken = [];
for (let round = 0; round < Number(rounds); round += 1) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const begun = performance.now();
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForFunction(() => /[#$%>]\s*$/m.test(document.querySelector('.xterm-rows')?.textContent ?? ''));
  taken.push(Math.round(performance.now() - begun));
  await context.close();
}
await browser.close();
taken.sort((a, b) => a - b);
console.log(`min ${taken[0]}, median ${taken[Math.floor(taken.length / 2)]}, max ${taken.at(-1)} of ${taken.length}`);
