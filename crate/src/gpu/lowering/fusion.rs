//! Which neighbouring steps of decode are fused to one dispatch: rules over the plan, tried at each step in turn. A step to
//! which no rule applies runs by itself.
//!
//! A fused kernel may leave a buffer in another form than the steps by themselves would ([`Form`]), and some buffers not written
//! at all. A rule therefore also looks at every step that reads these buffers.

use super::fused::Form;
use super::stages::LoweredStage;
use super::steps::Lowering;
use crate::gpu::kernels::{DecodeScan, Layout};
use crate::gpu::resources::{Written, hands_on, is_read_only_by};
use crate::model::{BufferId, Op, Step};

/// Gives the stage of step `at` and some that follow it, where the rule applies.
type Rule = fn(&Steps<'_>, &Lowering<'_>, usize) -> Option<LoweredStage>;

/// The first that applies is taken.
const RULES: [Rule; 8] =
    [group_project, in_project, dt_scan, out_project, shift_norm, wkv7_gate, function_project, matvec];

/// The fused stage that begins with step `at`, where a rule applies; `before` are the stages of all steps before it.
pub fn fuse(lowering: &Lowering<'_>, steps: &[&Step], before: &[LoweredStage], at: usize) -> Option<LoweredStage> {
    RULES.iter().find_map(|rule| rule(&Steps { all: steps, before }, lowering, at))
}

/// Products that do not wait for each other, with what is done to each of their values: all is left as f32 alone.
fn group_project(steps: &Steps<'_>, lowering: &Lowering<'_>, at: usize) -> Option<LoweredStage> {
    let group = lowering.groups.starting_at(at)?;
    let inputs = group.members.iter().map(|member| steps.all[member.start].reads[0]);
    let forms: Vec<_> = inputs.map(|id| steps.form(id, at)).collect();
    let form = *forms.first()?;
    if form.norm_eps().is_some() || forms.iter().any(|other| *other != form) {
        return None;
    }
    let dispatch = lowering.group_project(steps.all, group, form)?;
    let writes = group.members.iter().map(|member| (steps.all[member.end - 1].output(), Layout::Plain));
    Some(LoweredStage { steps: group.steps(), writes: writes.collect(), dispatches: vec![dispatch] })
}

/// `W_in`, and the convolution of its first rows.
fn in_project(steps: &Steps<'_>, lowering: &Lowering<'_>, at: usize) -> Option<LoweredStage> {
    let [product, conv] = steps.as_in_project(at)?;
    let norm_eps = steps.form(product.reads[0], at).norm_eps();
    let dispatches = lowering.sharded(product.weights[0], |weight, shard| {
        lowering.in_project(weight, shard, product.reads[0], norm_eps, conv)
    });
    Some(LoweredStage { steps: at..at + 2, writes: vec![(conv.output(), Layout::Plain)], dispatches })
}

/// dt, B and C with their norm, `W_dt`, and the scan.
fn dt_scan(steps: &Steps<'_>, lowering: &Lowering<'_>, at: usize) -> Option<LoweredStage> {
    let [split, product, scan] = steps.from(at)?;
    let (Op::SplitDtBC { eps }, Op::MatMul { accumulate: false }, Op::SelectiveScan) = (split.op, product.op, scan.op)
    else {
        return None;
    };
    let handed_on = product.reads[0] == split.writes[0]
        && scan.reads[1..3] == [product.output(), split.writes[1]]
        && steps.is_read_only_by(split.writes[0], at, |step| std::ptr::eq(step, product))
        && [split.writes[1], product.output()]
            .iter()
            .all(|&id| steps.is_read_only_by(id, at + 1, |step| std::ptr::eq(step, scan)));
    if !handed_on {
        return None;
    }
    let dt_rank = lowering.width(split.writes[0]);
    let shape = DecodeScan::of(lowering.gpu, dt_rank, lowering.weight(scan.weights[1]).columns)?;
    let mut dispatches = lowering
        .sharded(product.weights[0], |weight, shard| lowering.dt_scan(weight, shard, (split, eps), scan, shape));
    dispatches.extend(lowering.conversion(scan.output(), Written::Either));
    let writes = vec![lowering.left(scan.output(), Written::Either)];
    Some(LoweredStage { steps: at..at + 3, writes, dispatches })
}

/// `W_out` with the residual, and the next norm but for its factor.
fn out_project(steps: &Steps<'_>, lowering: &Lowering<'_>, at: usize) -> Option<LoweredStage> {
    let ([product, norm], _) = steps.as_out_project(at)?;
    let mut dispatches =
        lowering.sharded(product.weights[0], |weight, shard| lowering.out_project(weight, shard, product, norm));
    dispatches.extend(lowering.conversion(product.output(), Written::Plain));
    Some(LoweredStage { steps: at..at + 2, writes: vec![(product.output(), Layout::Plain)], dispatches })
}

/// A layer norm and the token shift that alone reads it.
fn shift_norm(steps: &Steps<'_>, lowering: &Lowering<'_>, at: usize) -> Option<LoweredStage> {
    let [norm, shift] = steps.from(at)?;
    let (Op::LayerNorm { eps }, Op::TokenShift) = (norm.op, shift.op) else { return None };
    if !steps.hands_on(at) {
        return None;
    }
    let mut dispatches = vec![lowering.shift_norm(norm, eps, shift)?];
    dispatches.extend(shift.writes.iter().filter_map(|&id| lowering.conversion(id, Written::Either)));
    let writes = shift.writes.iter().map(|&id| lowering.left(id, Written::Either)).collect();
    Some(LoweredStage { steps: at..at + 2, writes, dispatches })
}

/// RWKV-7's recurrence, and the product of what it gives with a gate.
fn wkv7_gate(steps: &Steps<'_>, lowering: &Lowering<'_>, at: usize) -> Option<LoweredStage> {
    let [wkv, multiply] = steps.from(at)?;
    let (Op::Wkv7 { eps }, Op::Multiply) = (wkv.op, multiply.op) else { return None };
    let gate = *multiply.reads.iter().find(|&&id| id != wkv.output()).filter(|_| steps.hands_on(at))?;
    let out = multiply.output();
    let mut dispatches = vec![lowering.wkv7_gate(wkv, eps, gate, out)?];
    dispatches.extend(lowering.conversion(out, Written::Either));
    Some(LoweredStage { steps: at..at + 2, writes: vec![lowering.left(out, Written::Either)], dispatches })
}

/// A product and a function of each of its values; or a product by itself that products alone read: then nothing is left as f32.
fn function_project(steps: &Steps<'_>, lowering: &Lowering<'_>, at: usize) -> Option<LoweredStage> {
    if !steps.is_plain_product_of_activations(at) {
        return None;
    }
    let [product] = steps.from(at)?;
    let next = steps.from(at).filter(|_| steps.hands_on(at));
    let (function, out, count) = match next.map(|[_, next]| (next.op, next.output())) {
        Some((Op::Elementwise(function), out)) => (Some(function), out, 2),
        _ if lowering.written(product.output()).0 == Layout::Activations => (None, product.output(), 1),
        _ => return None,
    };
    let x = product.reads[0];
    let mut dispatches = lowering
        .sharded(product.weights[0], |weight, shard| lowering.function_project(weight, shard, x, function, out));
    dispatches.extend(lowering.conversion(out, Written::Either));
    let writes = if function.is_some() { vec![lowering.left(out, Written::Either)] } else { Vec::new() };
    Some(LoweredStage { steps: at..at + count, writes, dispatches })
}

/// A product by itself, as the matrix-vector product that it is for one token.
fn matvec(steps: &Steps<'_>, lowering: &Lowering<'_>, at: usize) -> Option<LoweredStage> {
    let [product] = steps.from(at)?;
    let Op::MatMul { .. } = product.op else { return None };
    let form = steps.form(product.reads[0], at);
    let mut dispatches =
        lowering.sharded(product.weights[0], |weight, shard| lowering.matvec(weight, shard, product, form));
    dispatches.extend(lowering.conversion(product.output(), Written::Plain));
    Some(LoweredStage { steps: at..at + 1, writes: vec![(product.output(), Layout::Plain)], dispatches })
}

/// True for a product that adds to nothing: [`matvec`] or [`in_project`] runs it, and both know each [`Form`] that a rule leaves
/// for it.
fn is_plain_product(step: &Step) -> bool {
    step.op == Op::MatMul { accumulate: false }
}

/// All steps of a plan, and the stages of those before the one that is looked at.
struct Steps<'a> {
    all: &'a [&'a Step],
    before: &'a [LoweredStage],
}

impl<'a> Steps<'a> {
    /// The next `N` steps from `at` on, where the plan has them.
    fn from<const N: usize>(&self, at: usize) -> Option<[&'a Step; N]> {
        self.all.get(at..at + N)?.try_into().ok()
    }

    /// Whether the second of two steps reads what the first, step `at`, writes, and no other step does.
    fn hands_on(&self, at: usize) -> bool {
        hands_on(self.all, at)
    }

    /// Whether step `at` is a product that adds to nothing, of activations that lack nothing.
    fn is_plain_product_of_activations(&self, at: usize) -> bool {
        let step = self.all[at];
        is_plain_product(step) && self.form(step.reads[0], at) == Form::Activations { norm_eps: None }
    }

    /// Whether all steps that read what step `at` wrote to a buffer are of one kind.
    fn is_read_only_by(&self, id: BufferId, at: usize, kind: impl Fn(&Step) -> bool) -> bool {
        is_read_only_by(self.all, id, at, kind)
    }

    /// A product and the convolution of what it gives, where they can be fused: the convolution's output is left as f32 alone, and
    /// of the product's output what the convolution reads is not written.
    fn as_in_project(&self, at: usize) -> Option<[&'a Step; 2]> {
        let [product, conv] = self.from(at)?;
        let takes_f32 = |step: &Step| is_plain_product(step) || step.op == Op::SelectiveScan;
        let applies = is_plain_product(product)
            && conv.op == Op::Conv1dSilu
            && conv.reads[0] == product.output()
            && self.form(product.reads[0], at) != Form::F32
            && self.is_read_only_by(conv.output(), at + 1, takes_f32)
            // A scan reads the gate alone.
            && self.is_read_only_by(product.output(), at, |step| {
                std::ptr::eq(step, conv) || step.op == Op::SelectiveScan && step.reads[0] != product.output()
            });
        applies.then_some([product, conv])
    }

    /// A product with a residual and the norm of the sum, where they can be fused, and the norm's epsilon: the norm's output is left
    /// without its factor, for products to apply.
    fn as_out_project(&self, at: usize) -> Option<([&'a Step; 2], f32)> {
        let [product, norm] = self.from(at)?;
        let Op::RmsNorm { eps } = norm.op else { return None };
        let applies = product.op == Op::MatMul { accumulate: true }
            && norm.reads[0] == product.output()
            && self.form(product.reads[0], at) == Form::Activations { norm_eps: None }
            && self.is_read_only_by(norm.output(), at + 1, is_plain_product);
        applies.then_some(([product, norm], eps))
    }

    /// The form in which a product's input is when step `at` begins.
    fn form(&self, id: BufferId, at: usize) -> Form {
        let writer = self.all[..at].iter().rposition(|step| step.writes.contains(&id));
        if writer
            .is_some_and(|writer| self.before.iter().any(|stage| stage.is_group() && stage.steps.contains(&writer)))
        {
            return Form::F32;
        }
        let before = writer.and_then(|writer| writer.checked_sub(1));
        match before {
            Some(before) if self.as_in_project(before).is_some_and(|[_, conv]| conv.output() == id) => Form::F32,
            Some(before) => {
                let fused = self.as_out_project(before).filter(|([_, norm], _)| norm.output() == id);
                Form::Activations { norm_eps: fused.map(|(_, eps)| eps) }
            }
            None => Form::Activations { norm_eps: None },
        }
    }
}
