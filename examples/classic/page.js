"use strict";

const texts = {
  en: {
    title: "Classic room", label: "Your message", send: "Send", connected: "connected by {0}", lost: "not connected: {0}",
    recovered: "connected again; nothing was missed", ended: "ended: {0}",
    client: "The client library is missing: run npm ci in examples/classic, then reload.",
  },
  zh: {
    title: "经典聊天室", label: "你的消息", send: "发送", connected: "已连接（{0}）", lost: "未连接：{0}",
    recovered: "已重新连接，没有遗漏消息", ended: "已结束：{0}",
    client: "缺少客户端库：请在 examples/classic 中运行 npm ci，然后刷新页面。",
  },
};
const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const text = (key, ...values) => texts[language][key].replace(/\{(\d)\}/g, (_, i) => values[i]);

const state = document.getElementById("state");
const messages = document.getElementById("messages");
const input = document.getElementById("text");

document.documentElement.lang = language;
document.title = text("title");
for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);

function say(connected, words) {
  state.className = connected ? "connected" : "";
  state.textContent = words;
}

function show(words, own) {
  const item = document.createElement("li");
  if (own) item.className = "own";
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString(language);
  const said = document.createElement("span");
  said.textContent = words;
  item.append(time, said);
  messages.append(item);
  item.scrollIntoView({ block: "end" });
}

if (typeof io === "undefined") {
  say(false, text("client"));
} else {
  const server = new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:8081";
  const socket = io(server);
  let kicked = "";
  socket.on("connect", () => {
    kicked = "";
    say(true, socket.recovered ? text("recovered") : text("connected", socket.io.engine.transport.name));
    socket.io.engine.once("upgrade", (to) => say(true, text("connected", to.name)));
  });
  socket.on("disconnect", (reason) => say(false, kicked || text("lost", reason)));
  socket.on("connect_error", (error) => say(false, text("lost", error.message)));
  socket.on("message", (message) => show(message.text));
  socket.on("ended", (end) => { kicked = text("ended", [end.cause, end.reason].filter(Boolean).join(": ")); });
  document.getElementById("say").addEventListener("submit", (event) => {
    event.preventDefault();
    socket.emit("clientmessage", { text: input.value });
    show(input.value, true);
    input.value = "";
  });
}
