/** What the main thread does for each frame of so many seconds, ms: from the frame's beginning until it is free again. */
export async function takeFrames(browser, { seconds, file }) {
  const stop = await browser.profile(file);
  const busy = await browser.page.evaluate(
    (seconds) =>
      new Promise((resolve) => {
        const busy = [];
        const first = performance.now();
        const frame = (began) => {
          bench.painted((now) => {
            busy.push(now - began);
            if (now - first < seconds * 1000) requestAnimationFrame(frame);
            else resolve(busy);
          });
        };
        requestAnimationFrame(frame);
      }),
    seconds,
  );
  await stop();
  return busy;
}
