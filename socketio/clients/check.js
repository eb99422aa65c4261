// Comparisons that say what they got and what they want.
'use strict'
const { inspect, isDeepStrictEqual } = require('node:util')

// plain makes one kind of bytes of all.
function plain (value) {
  if (value instanceof ArrayBuffer) return { bytes: Buffer.from(value).toString('hex') }
  if (ArrayBuffer.isView(value)) {
    return { bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex') }
  }
  if (Array.isArray(value)) return value.map(plain)
  if (value && typeof value === 'object' && !(value instanceof Error)) {
    return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, plain(v)]))
  }
  return value
}

function show (value) {
  const text = inspect(value, { depth: 6, breakLength: Infinity, maxStringLength: 100, maxArrayLength: 30 })
  return text.length > 600 ? text.slice(0, 600) + '…' : text
}

function same (got, want, what) {
  if (!isDeepStrictEqual(plain(got), plain(want))) throw new Error(`${what}: got ${show(got)}, want ${show(want)}`)
}

function oneOf (got, wanted, what) {
  if (!wanted.some(want => isDeepStrictEqual(plain(got), plain(want)))) {
    throw new Error(`${what}: got ${show(got)}, want one of ${show(wanted)}`)
  }
}

function holds (condition, what, got) {
  if (!condition) throw new Error(`${what}: got ${show(got)}`)
}

module.exports = { same, oneOf, holds, show }
