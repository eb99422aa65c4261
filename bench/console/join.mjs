// How soon a terminal that has lived for long is painted for who comes late, and what comes over the wire for that.

/**
 * Opens the list of sessions and goes to one of them, again and again in the same page: for each time painted, ms from the click
 * until the text that is on its screen was painted, and bytes, of what came over the WebSocket until then.
 */
export async function joinLate(browser, { address, text, times }) {
  const page = await browser.open('/');
  let bytes = 0;
  await browser.devtools.send('Network.enable');
  browser.devtools.on('Network.webSocketFrameReceived', ({ response: { opcode, payloadData } }) => {
    bytes += opcode === 2 ? Buffer.byteLength(payloadData, 'base64') : Buffer.byteLength(payloadData);
  });
  const found = [];
  for (let i = 0; i < times; i++) {
    const link = page.locator(`a[href="${address}"]`).first();
    await link.waitFor();
    await page.waitForTimeout(500); // what comes for the list has come
    await page.evaluate((text) => {
      bench.joined = new Promise((resolve) => {
        const began = (e) => {
          const look = () => {
            if (![...document.querySelectorAll('.xterm-rows > div')].some((row) => row.textContent.includes(text))) return;
            end();
            bench.painted((now) => resolve(now - e.timeStamp));
          };
          const end = bench.changes(look);
        };
        addEventListener('click', began, { capture: true, once: true });
      });
    }, text);
    bytes = 0;
    await link.click();
    const painted = await page.evaluate(() => bench.joined);
    found.push({ painted, bytes });
    await page.goBack();
  }
  await browser.leave();
  return found;
}
