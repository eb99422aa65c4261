// What the first page of the console costs who opens it.

/**
 * Opens the first page some times, each time with nothing cached, on a processor that is slowed down so many times. Of each:
 * bytes that came, compressed, and files; row and usable, ms from the navigation until the first session was painted, and until
 * what is typed into the filter is; cpu, seconds that the main thread worked until then.
 */
export async function firstLoads(browser, { times, slower, typed, file }) {
  const loads = [];
  for (let i = 0; i < times; i++) {
    const sizes = new Map();
    let stop;
    const page = await browser.open('/', {
      before: async (devtools) => {
        await devtools.send('Network.enable');
        await devtools.send('Performance.enable');
        devtools.on('Network.loadingFinished', (e) => sizes.set(e.requestId, e.encodedDataLength));
        await devtools.send('Emulation.setCPUThrottlingRate', { rate: slower });
        stop = await browser.profile(i === 0 && file);
      },
    });
    const row = await page.evaluate(() => bench.first('a[href^="/sessions/"]'));
    // The filter is usable when the frame that shows the first row has been followed by one that shows what was typed.
    const usable = await page.evaluate(
      (typed) =>
        new Promise((resolve) => {
          const filter = document.querySelector('input[type=search]');
          filter.focus();
          filter.value = typed;
          filter.dispatchEvent(new InputEvent('input', { bubbles: true }));
          const look = () => {
            if (document.querySelectorAll('a[href^="/sessions/"]').length > 1) return;
            end();
            bench.painted(resolve);
          };
          const end = bench.changes(look);
          look();
        }),
      typed,
    );
    const { metrics } = await browser.devtools.send('Performance.getMetrics');
    await stop();
    await page.waitForLoadState('networkidle');
    loads.push({ bytes: [...sizes.values()].reduce((a, b) => a + b, 0), files: sizes.size, row, usable, cpu: metrics.find((m) => m.name === 'ThreadTime').value });
    await browser.leave();
  }
  return loads;
}
