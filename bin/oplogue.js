#!/usr/bin/env node
import { main } from '../dist/cli/oplogue.js';

await main(process.argv.slice(2));
