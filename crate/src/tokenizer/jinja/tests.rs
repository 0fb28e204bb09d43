#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value as Json;

use super::*;

