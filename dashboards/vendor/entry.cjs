'use strict';
// plotly.js with the traces that our figures use (scatter is always in), and no maps.
const Plotly = require('plotly.js/lib/core');
Plotly.register([require('plotly.js/lib/bar'), require('plotly.js/lib/heatmap')]);
module.exports = Plotly;
