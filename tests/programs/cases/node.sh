# witness: */node*
# node: JSON, crypto, compression, streams, buffers of all sizes, worker threads and child processes.

cat >work.js <<'JS'
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFileSync } = require('child_process');
const { Readable, Transform, pipeline } = require('stream');
const sumOf = data => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

if (!isMainThread) {
    const words = new Map();
    for (let i = 0; i < 40000; i++) {
        const word = 'w' + (i * 7919 + workerData) % 9973;
        words.set(word, (words.get(word) || 0) + 1);
    }
    const buffers = [];
    for (let i = 0; i < 2000; i++) buffers.push(Buffer.alloc(i * 13 % 20000, i & 255));
    parentPort.postMessage({ number: workerData, words: words.size, sum: sumOf(Buffer.concat(buffers)) });
} else {
    main();
}

async function main() {
    const data = {};
    for (let i = 0; i < 20000; i++) {
        data['key' + i] = { list: [i, i * 2, i * 3], name: 'n'.repeat(i % 50), nested: { x: i / 7, y: null } };
    }
    const json = JSON.stringify(data);
    console.log('json', json.length, sumOf(json), JSON.stringify(JSON.parse(json)) === json);
    console.log('gzip', zlib.gunzipSync(zlib.gzipSync(json)).toString() === json);
    const quality = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } };
    const brotli = zlib.brotliCompressSync(json.slice(0, 500000), quality);
    console.log('brotli', zlib.brotliDecompressSync(brotli).length);

    const key = crypto.scryptSync('password', 'salt', 32);
    const cipher = crypto.createCipheriv('aes-256-gcm', key, Buffer.alloc(12, 1));
    const sealed = Buffer.concat([cipher.update(json, 'utf8'), cipher.final()]);
    const opener = crypto.createDecipheriv('aes-256-gcm', key, Buffer.alloc(12, 1));
    opener.setAuthTag(cipher.getAuthTag());
    console.log('cipher', sumOf(sealed), Buffer.concat([opener.update(sealed), opener.final()]).toString() === json);
    const { publicKey, privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const signature = crypto.sign('sha256', Buffer.from(json), privateKey);
    console.log('signature', crypto.verify('sha256', Buffer.from(json), publicKey, signature));

    const results = await Promise.all([1, 2, 3, 4].map(number => new Promise((resolve, reject) => {
        const worker = new Worker(__filename, { workerData: number });
        worker.on('message', resolve);
        worker.on('error', reject);
    })));
    for (const result of results) console.log('worker', result.number, result.words, result.sum);

    const chunks = [];
    await new Promise((resolve, reject) => pipeline(
        Readable.from((function* () { for (let i = 0; i < 5000; i++) yield Buffer.alloc(i % 700 + 1, i & 255); })()),
        new Transform({ transform(chunk, _, done) { done(null, chunk.map(byte => byte ^ 85)); } }),
        zlib.createDeflate(),
        new Transform({ transform(chunk, _, done) { chunks.push(chunk); done(); } }),
        error => error ? reject(error) : resolve()));
    console.log('stream', sumOf(zlib.inflateSync(Buffer.concat(chunks))));
    const hashes = await Promise.all(Array.from({ length: 50 }, (_, i) => new Promise((resolve, reject) =>
        crypto.pbkdf2('p' + i, 'salt', 500, 64, 'sha512', (error, hash) => error ? reject(error) : resolve(hash)))));
    console.log('pool', sumOf(Buffer.concat(hashes)));
    const big = [];
    for (let i = 1; i <= 24; i++) big.push(new Uint8Array(1 << i).fill(i).reduce((a, b) => a + b, 0));
    console.log('arrays', big.join(' '));
    console.log('wasm', new WebAssembly.Memory({ initial: 4, maximum: 64 }).grow(20));
    const child = execFileSync(process.execPath, ['-e', 'console.log([..."abc"].map(c => c.repeat(3)).join())']);
    console.log('child', child.toString().trim());
    const segments = new Intl.Segmenter('en', { granularity: 'word' }).segment('one two, three');
    console.log('text', [...segments].length, 'ǆ'.toUpperCase(), 'é'.normalize('NFD').length);
    console.log('regexp', 'aaa-bbb '.repeat(20000).replace(/(a+)-(b+)/g, '$2-$1').split(' ').length);
}
JS
node --check work.js && echo checked
node work.js
