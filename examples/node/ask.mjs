// Prints what the promoted model was found to be, then asks it one question over HTTP.
//
//   OPENAI_BASE_URL=http://localhost:8000/v1 MODEL=support node ask.mjs "Where is my parcel?"
//
// To be run in the root of a tunegate project; README.md says what each variable is. Node 20 or
// newer, no packages. What is read here is described by JSON schemas: docs/json.md.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const { ALIAS = "production", MODEL = "", OPENAI_API_KEY, OPENAI_BASE_URL, SYSTEM_PROMPT } = process.env;

class Problem extends Error {}

/** Return the chain of the promotion in force, as `registry lineage --json` prints it. */
function readLineage(alias) {
  const { error, status, stdout, stderr } = spawnSync(
    "tunegate", ["registry", "lineage", alias, "--json"], { encoding: "utf8" },
  );
  if (error) throw new Problem(`tunegate cannot be started (${error.code}): is its environment active?`);
  if (status > 1) throw new Problem(stderr.trim());
  const lineage = JSON.parse(stdout);
  if (status === 1) throw new Problem(`${alias} does not hold: ${lineage.faults.join("; ")}`);
  return lineage;
}

/** Return the scorecard that the promotion rests on; null where it is not on this machine. */
function readScorecard(lineage) {
  const { path } = lineage.records.find(({ record }) => record === "scorecard");
  return path && JSON.parse(readFileSync(path, "utf8"));
}

/** Yield a line for the verdict and one for each score. */
function* scorecardLines(card) {
  yield `gate      ${card.gate}, on ${card.test.n} test rows, ${card.made}`;
  for (const score of [...card.scores, ...card.missed]) {
    if (!("value" in score)) continue; // a table, or a check
    const verdict = { true: "held", false: "missed" }[score.held] ?? "not measured";
    const interval = score.low === null ? "" : `, 95 % interval ${round(score.low)} to ${round(score.high)}`;
    const limit = score.limit === null ? "no limit" : `${score.sign} ${score.limit}: ${verdict}`;
    yield `score     ${score.name} ${round(score.value)}${interval}, n = ${score.n}, ${limit}`;
  }
}

const round = (value) => (value === null ? "?" : String(Number(value.toFixed(4))));

/** Return the model's reply to one question. */
async function ask(question) {
  if (!OPENAI_BASE_URL) {
    throw new Problem("OPENAI_BASE_URL is not set: the server's address, such as http://localhost:8000/v1");
  }
  const system = SYSTEM_PROMPT ? [{ role: "system", content: SYSTEM_PROMPT }] : [];
  const url = `${OPENAI_BASE_URL.replace(/\/+$/, "")}/chat/completions`;
  let response, body;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        ...(OPENAI_API_KEY && { Authorization: `Bearer ${OPENAI_API_KEY}` }),
      },
      body: JSON.stringify({
        model: MODEL,
        messages: [...system, { role: "user", content: question }],
        temperature: 0,
      }),
      signal: AbortSignal.timeout(120_000),
    });
    body = await response.text();
  } catch (error) {
    throw new Problem(`${url} does not answer: ${error.cause?.code ?? error.message}`);
  }
  if (!response.ok) throw new Problem(`${url} answered ${response.status}: ${body.slice(0, 200)}`);
  let reply;
  try {
    reply = JSON.parse(body).choices[0].message.content;
  } catch {
    throw new Problem(`${url} is no server of OpenAI's protocol: ${body.slice(0, 200)}`);
  }
  return reply;
}

try {
  const question = process.argv[2];
  if (!question) throw new Problem('which question? node ask.mjs "Where is my parcel?"');
  const lineage = readLineage(ALIAS);
  console.log(`promoted  ${lineage.alias} is run:${lineage.run}, ${lineage.model}`);
  const card = readScorecard(lineage);
  const lines = card ? scorecardLines(card) : ["gate      its scorecard is not on this machine"];
  for (const line of lines) console.log(line);
  console.log(`asked     ${question}`);
  console.log(`answer    ${await ask(question)}`);
} catch (error) {
  if (!(error instanceof Problem)) throw error;
  console.error(`ask.mjs: ${error.message}`);
  process.exitCode = 1;
}
