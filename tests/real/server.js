// An HTTP server whose answers come from a file (libuv's threads) or from a worker thread.
const fs = require('fs'), http = require('http');
const {Worker, isMainThread, parentPort} = require('worker_threads');

if (isMainThread) {
  const worker = new Worker(__filename), waiting = new Map();
  let next = 0;
  worker.on('message', ([id, n]) => { waiting.get(id)(n); waiting.delete(id); });
  const compute = n => new Promise(done => { waiting.set(++next, done); worker.postMessage([next, n]); });
  const server = http.createServer(async (request, response) => {
    if (request.url === '/quit') {
      response.end('bye\n', () => { server.close(); server.closeAllConnections(); worker.terminate(); });
    } else if (request.url.startsWith('/worker/')) {
      response.end(`${await compute(+request.url.slice(8))}\n`);
    } else {
      fs.readFile(__dirname + '/data', (error, data) => response.end(error ? String(error) : data));
    }
  });
  server.listen(+process.argv[2], '127.0.0.1');
} else {
  parentPort.on('message', ([id, n]) => {
    let x = 0;
    for (let i = 0; i < n * 1000; i++) x = (x * 31 + i) % 1000003;
    parentPort.postMessage([id, x]);
  });
}
