// A prompt in, a picture out. No library: fetch, and an event stream read by hand because EventSource sends no token.
const $ = (id) => document.getElementById(id);
const ACCOUNT = { email: "local@pingvas.studio", display_name: "Local" };
const TERMINAL = new Set(["succeeded", "failed", "canceled"]);
let token = null;
let current = null;

async function signIn() {
  const answer = await fetch("/api/v1/auth/local", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(ACCOUNT),
  });
  if (!answer.ok) throw await problem(answer);
  token = (await answer.json()).access_token;
}

async function problem(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Error(body.detail || body.title || `The studio answered ${answer.status}.`);
}

async function call(path, options = {}, again = true) {
  if (!token) await signIn();
  const headers = { ...options.headers, Authorization: `Bearer ${token}` };
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401 && again) { token = null; return call(path, options, false); }
  if (!answer.ok) throw await problem(answer);
  return answer;
}

const json = async (path, options) => (await call(path, options)).json();
const post = (path, body) => json(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: body && JSON.stringify(body),
});
const picture = async (path) => URL.createObjectURL(await (await call(path)).blob());

async function* events(id) {
  let last = "";
  for (let failures = 0; failures < 20;) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const answer = await call(`/api/v1/generations/${id}/events`, { headers });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let text = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        text += value;
        for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
          const fields = text.slice(0, end).split("\n");
          const data = fields.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
          const number = fields.find((line) => line.startsWith("id:"));
          if (number) last = number.slice(3).trim();
          if (!data) continue;
          failures = 0;
          const event = JSON.parse(data);
          yield event;
          if (TERMINAL.has(event.status)) return;
        }
      }
    } catch (error) {
      if (failures >= 19) throw error;
    }
    failures += 1;
    await new Promise((wake) => setTimeout(wake, 500));
  }
}

function say(text, bad = false) {
  $("state").textContent = text;
  $("state").classList.toggle("bad", bad);
}

function describe(event) {
  if (event.status === "queued") {
    const place = event.queue_position ? `number ${event.queue_position} in the queue` : "waiting for the worker";
    return event.eta_seconds ? `${place}, about ${Math.ceil(event.eta_seconds)} s` : place;
  }
  if (!event.steps) return "the worker is on it";
  const eta = event.eta_seconds ? `, ${Math.max(1, Math.ceil(event.eta_seconds))} s left` : "";
  return `step ${event.step ?? 0} of ${event.steps}${eta}`;
}

function show(event) {
  if (!TERMINAL.has(event.status)) say(describe(event));
  const known = event.status === "running" && event.steps;
  if (known) $("bar").value = (event.step ?? 0) / event.steps; else $("bar").removeAttribute("value");
  if (event.preview) { $("picture").src = event.preview; $("picture").classList.add("preview"); }
}

async function finish(id) {
  const made = await json(`/api/v1/generations/${id}`);
  if (made.status !== "succeeded") {
    say(made.status === "canceled" ? "Stopped; nothing was charged." : made.error?.message ?? "It failed.", made.status === "failed");
    return;
  }
  const image = made.images[0];
  const link = await picture(image.url);
  $("picture").src = link;
  $("picture").alt = made.prompt;
  $("picture").classList.remove("preview");
  say(`${made.prompt} — seed ${image.seed}, ${image.width}×${image.height}`);
  Object.assign($("save"), { href: link, download: `${image.seed}.png`, hidden: false });
  $("again").hidden = false;
  $("again").onclick = () => { $("form").elements.seed.value = image.seed; draw(); };
}

function request() {
  const body = {};
  for (const [name, value] of new FormData($("form"))) {
    if (value === "") continue;
    body[name] = ["prompt", "negative_prompt"].includes(name) ? value : Number(value);
  }
  return body;
}

async function draw() {
  $("go").disabled = true;
  $("stage").hidden = false;
  $("warnings").textContent = "";
  $("picture").removeAttribute("src");
  $("picture").alt = "";
  $("save").hidden = $("again").hidden = true;
  $("cancel").hidden = $("actions").hidden = $("bar").hidden = false;
  $("bar").removeAttribute("value");
  say("sending");
  try {
    current = await post("/api/v1/generations", request());
    $("warnings").textContent = (current.warnings ?? []).join(" ");
    show(current);
    for await (const event of events(current.id)) show(event);
    await finish(current.id);
  } catch (error) {
    say(error.message, true);
  } finally {
    current = null;
    $("go").disabled = false;
    $("bar").hidden = $("cancel").hidden = true;
    refresh();
  }
}

async function refresh() {
  try {
    const [credits, page] = await Promise.all([json("/api/v1/credits"), json("/api/v1/images?limit=24")]);
    $("account").textContent = `${credits.plan} plan, ${credits.available} credits`;
    $("empty").hidden = page.items.length > 0;
    const items = await Promise.all(page.items.map(async (image) => {
      const link = document.createElement("a");
      const small = document.createElement("img");
      const words = document.createElement("span");
      small.alt = words.textContent = image.parameters?.prompt ?? `seed ${image.seed}`;
      link.title = `${small.alt} (seed ${image.seed})`;
      link.append(small, words);
      link.href = "#";
      link.onclick = async (click) => { click.preventDefault(); window.open(await picture(image.url), "_blank"); };
      small.src = await picture(image.thumbnail_url);
      const item = document.createElement("li");
      item.append(link);
      return item;
    }));
    $("recent").replaceChildren(...items);
  } catch (error) {
    $("account").textContent = error.message;
  }
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); draw(); });
$("cancel").addEventListener("click", () => current && post(`/api/v1/generations/${current.id}/cancel`).catch(() => {}));
refresh();
