// A workload for node: what its native side asks malloc for. Array buffers, small and large, are blocks outside of
// V8's own heap; zlib takes its windows anew for each stream; JSON and digests pass through native strings.
//
// Usage: buffers.js [SCALE], a percentage. Prints one result line that depends on the work alone.
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');

const scale = Number(process.argv[2] || 100);
const digest = crypto.createHash('sha256');
let state = 42;
function number(limit) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) % limit;
}

// Random replacement of small array buffers: the collector decides when the old ones go.
function replaceBuffers() {
    const slots = new Array(2000);
    for (let i = 0; i < 30000; i++) {
        const bytes = new Uint8Array(16 + number(1000));
        bytes[0] = bytes[bytes.length - 1] = i & 255;
        const place = number(slots.length);
        if (slots[place] && slots[place][0] !== slots[place][slots[place].length - 1]) throw new Error('lost a byte');
        slots[place] = bytes;
    }
    digest.update(Buffer.concat(slots.filter(Boolean)));
}

// Records to JSON and back, packed and unpacked by streams that live for one record list each.
function packRecords() {
    for (let list = 0; list < 60; list++) {
        const records = Array.from({ length: 40 }, (_, i) =>
            ({ id: i, name: 'n'.repeat(number(80)), values: Array.from({ length: 6 }, () => number(10000)) }));
        const json = JSON.stringify(records);
        const packed = zlib.deflateSync(json, { level: 1 });
        const unpacked = zlib.inflateSync(packed).toString();
        if (unpacked !== json || JSON.stringify(JSON.parse(unpacked)) !== json) throw new Error('lost a record');
        digest.update(json);
    }
}

// Buffers of all kinds, sliced and joined.
function joinBuffers() {
    for (let i = 0; i < 40; i++) {
        const parts = Array.from({ length: 50 }, () => Buffer.alloc(100 + number(20000), number(256)));
        const whole = Buffer.concat(parts);
        digest.update(Buffer.from(whole.subarray(0, 5000).toString('hex'), 'hex'));
        digest.update(String(whole.length));
    }
}

const rounds = Math.max(1, Math.floor(scale * 8 / 100));
for (let round = 0; round < rounds; round++) {
    replaceBuffers();
    packRecords();
    joinBuffers();
}
console.log(`ok workload=node operations=${rounds} checksum=${digest.digest('hex').slice(0, 16)}`);
