// DuckDB or ClickHouse inside this process, for what Sonnim is measured beside.
//
//   node rivals.mjs duckdb|clickhouse DIRECTORY THREADS
//
// Reads a line of JSON {"sql"} at a time, answers {"rows", "ms"} or {"error"}: rows as arrays, ms
// from before the statement to its last row, within the process.
import { totalmem } from 'node:os';
import { createInterface } from 'node:readline';

const [kind, directory, threads] = process.argv.slice(2);

async function duckdb() {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  // Beside the server; what does not fit while the table is sorted goes to the disk.
  const memory = `${Math.floor(totalmem() * 0.45 / 2 ** 20)}MiB`;
  const instance = await DuckDBInstance.create(`${directory}/duckdb`,
                                               { threads, memory_limit: memory });
  const connection = await instance.connect();
  return async (sql) => {
    const result = await connection.runAndReadAll(sql);
    return result.getRowsJson();
  };
}

async function clickhouse() {
  const { Session } = await import('chdb');
  const session = new Session(`${directory}/clickhouse`);
  return async (sql) => {
    const text = session.query(`${sql} settings max_threads = ${threads}`, 'JSONCompactEachRow');
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  };
}

const run = await (kind === 'duckdb' ? duckdb() : clickhouse());
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const began = performance.now();
    const rows = await run(JSON.parse(line).sql);
    answer = { rows, ms: performance.now() - began };
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
