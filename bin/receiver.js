#!/usr/bin/env node
import { main } from '../dist/cli/receiver.js';

await main(process.argv.slice(2));
