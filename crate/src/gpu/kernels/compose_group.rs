//! How the WGSL of a grouped product is put together: the files of each type and width that occur in it, once for each and under names
//! of their own, then the kernel's file, which chooses between them.

use std::collections::BTreeSet;

use super::compose::{SIGMOID, Variant, compose_imports, function_source};
use super::params::MAX_SEGMENTS;
use super::table::GROUP_PROJECT;
use super::workgroups::RUN_LEN;
use crate::model::{Function, Op};

const FUNCTIONS: [Function; 3] = [Function::Tanh, Function::Sigmoid, Function::SquaredRelu];

/// Beyond the numbers of functions.
const VALUE_RESIDUAL: u32 = FUNCTIONS.len() as u32 + 1;

/// The number by which the kernel knows what becomes of a product: 0 for nothing, a function, or a value residual. None for a step that
/// it cannot do.
pub fn finish_code(step: Option<Op>) -> Option<u32> {
    match step {
        None => Some(0),
        Some(Op::ValueResidual) => Some(VALUE_RESIDUAL),
        Some(Op::Elementwise(function)) => (1..).zip(FUNCTIONS).find(|(_, other)| *other == function).map(|(n, _)| n),
        Some(_) => None,
    }
}

/// The whole WGSL of a grouped product whose segments have weights of these kinds; activations and invocations are those of all.
///
/// # Panics
/// Where there are none.
pub fn compose_group(kinds: &[Variant]) -> String {
    assert!(!kinds.is_empty(), "a group without products");
    let mut wgsl = String::new();
    let mut bindings = BTreeSet::new();
    let mut parts = String::new();
    for (kind, variant) in kinds.iter().enumerate() {
        let source = compose_imports(&GROUP_PROJECT, variant);
        // The kinds share what they bind, and the memory of a workgroup, which runs one of them.
        let is_shared = |line: &&str| line.starts_with("@group") || line.starts_with("var<workgroup>");
        let (shared, own): (Vec<&str>, Vec<&str>) = source.lines().partition(is_shared);
        // Sums keep a part of a subgroup, or of an invocation where these are one.
        bindings.extend(shared.into_iter().map(|line| line.replace("WORKGROUP_PARTS", "WORKGROUP") + "\n"));
        parts += &with_suffix(&(own.join("\n") + "\n"), &kind.to_string());
    }
    for (name, value) in [("MAX_SEGMENTS", MAX_SEGMENTS as u32), ("FINISH_VALUE_RESIDUAL", VALUE_RESIDUAL)] {
        wgsl += &format!("const {name}: u32 = {value}u;\n");
    }
    wgsl +=
        &format!("const WORKGROUP: u32 = {}u;\nconst RUN_LEN: u32 = {RUN_LEN}u;\n", kinds[0].lane_groups.workgroup());
    wgsl.extend(bindings);
    wgsl += &parts;
    wgsl += SIGMOID;
    wgsl += &functions();
    wgsl += &choice(kinds.len());
    wgsl + GROUP_PROJECT.source
}

/// `apply_function(code, x)`: a function by its number.
fn functions() -> String {
    let mut wgsl = String::new();
    let mut cases = String::new();
    for (code, function) in (1..).zip(FUNCTIONS) {
        wgsl += &with_suffix(function_source(Some(function)), function.name());
        cases += &format!("        case {code}u: {{ return apply_{}(x); }}\n", function.name());
    }
    wgsl + "fn apply_function(code: u32, x: f32) -> f32 {\n    switch code {\n"
        + &cases
        + "        default: { return x; }\n    }\n}\n"
}

/// `product_of_kind`: the product of a segment by the part of its kind.
fn choice(kinds: usize) -> String {
    let arguments = "segment: Segment, group: u32, local: u32, row: ptr<function, u32>";
    let call = |kind| format!("return segment_product_{kind}(segment, group, local, row);");
    let mut wgsl = format!("fn product_of_kind({arguments}) -> f32 {{\n");
    for kind in 1..kinds {
        wgsl += &format!("    if segment.kind == {kind}u {{\n        {}\n    }}\n", call(kind));
    }
    wgsl + &format!("    {}\n}}\n", call(0))
}

/// The same WGSL with `_suffix` after every name that it declares at its top level.
fn with_suffix(wgsl: &str, suffix: &str) -> String {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let declared: BTreeSet<&str> = wgsl
        .lines()
        .filter_map(|line| {
            let rest = ["const ", "fn ", "struct ", "alias "].iter().find_map(|k| line.strip_prefix(k))?;
            rest.split(|c| !is_of_name(c)).next()
        })
        .collect();
    let mut out = String::with_capacity(2 * wgsl.len());
    let mut rest = wgsl;
    while let Some(start) = rest.find(is_of_name) {
        let (before, from) = rest.split_at(start);
        let (name, after) = from.split_at(from.find(|c| !is_of_name(c)).unwrap_or(from.len()));
        out += before;
        out += name;
        if declared.contains(name) {
            out += &format!("_{suffix}");
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::with_suffix;

    #[test]
    fn declared_names_alone_get_a_suffix() {
        let wgsl = "const A: u32 = 1u;\nfn f(a: u32) -> u32 {\n    let A2 = A;\n    return weights[A2] + f_g(a);\n}\nalias B = array<f32, A>;\n";
        let expected = "const A_x: u32 = 1u;\nfn f_x(a: u32) -> u32 {\n    let A2 = A_x;\n    return weights[A2] + f_g(a);\n}\nalias B_x = array<f32, A_x>;\n";
        assert_eq!(with_suffix(wgsl, "x"), expected);
    }
}
