// npm's plotly.js → plotly.js.br, plotly.js.gz, plotly.css, LICENSES.txt and plotly.json (versions and checksums).
//
// Run by `make plotly`; the outputs are committed, so that neither running nor testing the server needs node.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

// Plotly's attributes carry their manual as text; a page never shows it, and it is 7 % of the transfer.
const MANUAL = /^\s*description: (?:'.*'|\[[\s\S]*?\]\.join\([\s\S]*?\)),?$/gm;
const withoutManual = {
  name: 'without-manual',
  setup(esbuild) {
    esbuild.onLoad({ filter: /plotly\.js\/src\/.*attributes.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(MANUAL, ''),
    }));
  },
};

const isCode = (path) => !path.endsWith('.css');

async function bundle() {
  const built = await build({
    entryPoints: ['entry.cjs'],
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: 'iife',
    globalName: 'Plotly',
    target: 'es2020',
    define: { global: 'window', 'process.env.NODE_DEBUG': 'false' },
    alias: { stream: 'stream-browserify' },
    loader: { '.css': 'empty' },
    legalComments: 'none',
    plugins: [withoutManual],
  });
  const version = versionOf('plotly.js');
  const banner = `/* plotly.js ${version} (scatter, bar, heatmap), MIT; see plotly.licenses.txt */\n`;
  return { script: Buffer.from(banner + built.outputFiles[0].text), inputs: Object.keys(built.metafile.inputs).filter(isCode) };
}

function versionOf(name) {
  return JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
}

// The rules that plotly.js would insert by script, as a file: a page whose policy forbids inline style links it
// with the id "plotly.js-style-global" and the class "no-inline-styles", and plotly.js then inserts nothing.
function stylesheet() {
  const source = readFileSync('node_modules/plotly.js/build/plotcss.js', 'utf8');
  const rules = new Function(`return ${source.match(/var rules = (\{[\s\S]*?\n\});/)[1]}`)();
  const lines = Object.entries(rules).map(([selector, style]) => {
    const full = selector.replace(/X/g, '.js-plotly-plot .plotly').replace(/Y/g, '.plotly-notifier');
    return `${full}{${style}}`;
  });
  // plotly.js inserts each rule before the others, so the last one of its list comes first.
  return lines.reverse().join('\n') + '\n';
}

function licenses(inputs) {
  const packages = new Set(inputs.map((path) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]));
  const texts = [...packages].filter(Boolean).sort().map((name) => {
    const folder = `node_modules/${name}`;
    const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const declared = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')).license;
    const text = file ? readFileSync(`${folder}/${file}`, 'utf8').trim() : `License: ${declared}`;
    return `${name} ${versionOf(name)}\n${'-'.repeat(72)}\n${text}\n`;
  });
  return texts.join('\n\n').replace(/\r/g, '').replace(/[ \t]+$/gm, '');
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const { script, inputs } = await bundle();
const css = stylesheet();
const brotli = brotliCompressSync(script, {
  params: {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 22,
    [constants.BROTLI_PARAM_SIZE_HINT]: script.length,
  },
});
writeFileSync('plotly.js.br', brotli);
writeFileSync('plotly.js.gz', gzipSync(script, { level: 9 }));
writeFileSync('plotly.css', css);
writeFileSync('plotly.licenses.txt', licenses(inputs));
const record = {
  'plotly.js': versionOf('plotly.js'),
  esbuild: versionOf('esbuild'),
  script_sha256: sha256(script),
  style_sha256: sha256(css),
  brotli_sha256: sha256(brotli),
  script_bytes: script.length,
  brotli_bytes: brotli.length,
};
writeFileSync('plotly.json', JSON.stringify(record, null, 2) + '\n');
process.stdout.write(`plotly.js: ${script.length} bytes, ${brotli.length} as brotli\n`);
