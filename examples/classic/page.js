"use strict";

const texts = {
  en: {
    title: "Classic room", label: "Your message", send: "Send", connecting: "connecting…", connected: "connected by {0}",
    recovered: "connected again; nothing was missed", lost: "not connected: {0}", ended: "ended: {0}",
    client: "The client library is missing: run npm ci in examples/classic, then reload.",
  },
  zh: {
    title: "经典聊天室", label: "你的消息", send: "发送", connecting: "正在连接…", connected: "已连接（{0}）",
    recovered: "已重新连接，没有遗漏消息", lost: "未连接：{0}", ended: "已结束：{0}",
    client: "缺少客户端库：请在 examples/classic 中运行 npm ci，然后刷新页面。",
  },
};
const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const text = (key, ...values) => texts[language][key].replace(/\{(\d)\}/g, (_, i) => values[i]);

const state = document.getElementById("state");
const messages = document.getElementById("messages");
const form = document.getElementById("say");

document.documentElement.lang = language;
document.title = text("title");
for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);

function say(connected, words) {
  state.className = connected ? "connected" : "";
  state.textContent = words;
}

function show(words, own) {
  const atEnd = scrollY + innerHeight > document.documentElement.scrollHeight - 50; // px; who reads back stays there
  const item = document.createElement("li");
  if (own) item.className = "own";
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString(language, { hourCycle: "h23" });
  const said = document.createElement("span");
  said.textContent = words;
  item.append(time, said);
  messages.append(item);
  if (atEnd || own) scrollTo(0, document.documentElement.scrollHeight);
}

// usable says whether what is typed can reach the room, now or once the connection is back.
function usable(yes) {
  for (const element of form.elements) element.disabled = !yes;
}

if (typeof io === "undefined") {
  say(false, text("client"));
  usable(false);
} else {
  say(false, text("connecting"));
  const server = new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:8081";
  const socket = io(server);
  let ended = "";
  const name = () => socket.io.engine.transport.name;
  const connected = () => say(true, socket.recovered ? text("recovered") : text("connected", name()));
  const lost = (why) => {
    say(false, ended || text("lost", why));
    usable(socket.active); // it is not when the server ended it: then it does not come back by itself
  };
  socket.on("connect", () => {
    ended = "";
    usable(true);
    connected();
    socket.io.engine.once("upgrade", connected);
  });
  socket.on("disconnect", lost);
  socket.on("connect_error", (error) => lost(error.message));
  socket.on("message", (message) => show(message.text));
  socket.on("ended", (end) => { ended = text("ended", [end.cause, end.reason].filter(Boolean).join(": ")); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    socket.emit("clientmessage", { text: form.elements.text.value });
    show(form.elements.text.value, true);
    form.elements.text.value = "";
  });
}
