//! Which products of a plan decode may run as one dispatch, and what has to lie together for it: their weights in one buffer, and what
//! they write in another, of one row of f32 a plan buffer. A kernel binds eight storage buffers, and a group has more operands.

use std::collections::HashSet;
use std::ops::Range;

use super::weights::device_bytes;
use crate::gpu::kernels::{finish_code, params::MAX_SEGMENTS};
use crate::model::{BufferId, Network, Op, Rows, Step, WeightId, Weights};

/// Where bindings may begin on every device, in bytes.
pub const ALIGNMENT: u64 = 256;

/// Columns up to which a product reads its input as f32 as fast as in the activations' layout: of a group's outputs it finds the former.
const NARROW: usize = 1024;

/// The most steps that any rule of fusion takes together, groups aside.
const MAX_FUSED_STEPS: usize = 3;

/// Products that follow each other and do not wait for each other, each with the step that finishes it, where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The steps of each: a product, and what is done to each of its values.
    pub members: Vec<Range<usize>>,
}

impl Group {
    /// All of its steps.
    pub fn steps(&self) -> Range<usize> {
        match (self.members.first(), self.members.last()) {
            (Some(first), Some(last)) => first.start..last.end,
            _ => 0..0,
        }
    }
}

/// The groups of a plan, and the sets of buffers that they write, each to be one buffer on the device.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    all: Vec<Group>,
    outputs: Vec<Vec<BufferId>>,
}

impl Groups {
    /// Finds them: `planes` are the lists of buffers whose activations are one buffer, `most_bytes` is what the weights of a group may
    /// take together.
    pub fn of(network: &Network, weights: &Weights, planes: &[Vec<BufferId>], most_bytes: u64) -> Self {
        let steps: Vec<_> = network.plan.steps().collect();
        let mut finder =
            Finder { network, weights, planes, most_bytes, steps, written: HashSet::new(), placed: HashSet::new() };
        let mut all = Vec::new();
        let mut at = 0;
        while at < finder.steps.len() {
            let group = finder.group_at(at);
            let end = group.as_ref().map_or(at + 1, |group| group.steps().end);
            finder.pass(at..end, group.as_ref());
            at = end;
            all.extend(group);
        }
        let outputs = finder.outputs(&all);
        // What no kernel may do with one buffer, no plan is taken for: it runs without groups.
        if outputs.iter().any(|together| finder.reads_and_writes(together)) {
            return Self::default();
        }
        Self { all, outputs }
    }

    /// The group that begins with a step.
    pub fn starting_at(&self, at: usize) -> Option<&Group> {
        let found = self.all.binary_search_by_key(&at, |group| group.steps().start);
        found.ok().map(|index| &self.all[index])
    }

    /// Buffers of which one row is kept as f32, each list in one buffer.
    pub fn outputs(&self) -> &[Vec<BufferId>] {
        &self.outputs
    }

    /// The weights of each group.
    pub fn weights(&self, network: &Network) -> Vec<Vec<WeightId>> {
        let steps: Vec<_> = network.plan.steps().collect();
        let of = |group: &Group| group.members.iter().map(|member| steps[member.start].weights[0]).collect();
        self.all.iter().map(of).collect()
    }
}

/// Where a group finds the inputs of its products: it binds one buffer.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In what groups before it wrote.
    Rows,
    /// In the planes of a list.
    Planes(usize),
    /// In a buffer's own activations.
    Own(BufferId),
}

struct Finder<'a> {
    network: &'a Network,
    weights: &'a Weights,
    planes: &'a [Vec<BufferId>],
    most_bytes: u64,
    steps: Vec<&'a Step>,
    /// What groups so far have written, and nothing else since.
    written: HashSet<BufferId>,
    /// Weights that lie in a group's buffer.
    placed: HashSet<WeightId>,
}

impl<'a> Finder<'a> {
    /// The group that begins with step `at`, as long as it can be. A product alone needs none, unless what finishes it has no other
    /// fused kernel.
    fn group_at(&self, at: usize) -> Option<Group> {
        let mut members: Vec<Range<usize>> = Vec::new();
        let mut place = None;
        let mut bytes = 0;
        let mut next = at;
        while let Some(member) = self.member_at(next) {
            let more = device_bytes(self.weight(&member)).next_multiple_of(ALIGNMENT);
            let own_place = self.place(self.steps[member.start].reads[0], member.start);
            let joins = own_place.is_some()
                && (place.is_none() || place == own_place)
                && bytes + more <= self.most_bytes
                && members.len() < MAX_SEGMENTS
                && self.joins(&members, &member);
            if !joins {
                break;
            }
            (place, bytes, next) = (own_place, bytes + more, member.end);
            members.push(member);
        }
        let pays = members.len() > 1 || members.iter().any(|member| self.is_residual(member));
        pays.then_some(Group { members })
    }

    /// Goes on after some steps, which are a group or one by itself.
    fn pass(&mut self, steps: Range<usize>, group: Option<&Group>) {
        for id in self.steps[steps].iter().flat_map(|step| &step.writes) {
            self.written.remove(id);
        }
        for member in group.iter().flat_map(|group| &group.members) {
            self.written.insert(self.output(member));
            self.placed.insert(self.steps[member.start].weights[0]);
        }
    }

    /// A product that can be a member, and the step that finishes it.
    fn member_at(&self, at: usize) -> Option<Range<usize>> {
        let product = *self.steps.get(at)?;
        let of_tokens = |id: BufferId| self.network.plan.buffer(id).rows == Rows::Tokens;
        let is_product = product.op == Op::MatMul { accumulate: false }
            && of_tokens(product.output())
            && of_tokens(product.reads[0])
            && !self.placed.contains(&product.weights[0]);
        if !is_product {
            return None;
        }
        let next = self.steps.get(at + 1).filter(|next| hands_on(&self.steps, at) && self.finishes(product, next));
        let member = at..at + 1 + usize::from(next.is_some());
        // A convolution takes the product before it to itself.
        let convolved = self
            .steps
            .get(member.end)
            .is_some_and(|next| next.op == Op::Conv1dSilu && next.reads.contains(&self.output(&member)));
        (!convolved && self.is_read_narrow(self.output(&member))).then_some(member)
    }

    /// Whether a step can be done to each value of a product.
    fn finishes(&self, product: &Step, step: &Step) -> bool {
        let operand = if step.op == Op::ValueResidual { 2 } else { 0 };
        finish_code(Some(step.op)).is_some()
            && step.reads.iter().position(|&id| id == product.output()) == Some(operand)
    }

    /// Whether the products that read a buffer find it no slower as f32.
    fn is_read_narrow(&self, id: BufferId) -> bool {
        let is_input = |step: &&Step| matches!(step.op, Op::MatMul { .. }) && step.reads.contains(&id);
        self.network.plan.buffer(id).width <= NARROW || !self.steps.iter().any(is_input)
    }

    /// Whether a member waits for none of the others, writes nothing that they read or write, and needs no binding that one of them has.
    fn joins(&self, members: &[Range<usize>], member: &Range<usize>) -> bool {
        let writes = self.output(member);
        let reads: Vec<_> = self.reads(member).collect();
        let residual = self.is_residual(member);
        members.iter().all(|other| {
            let other_writes = self.output(other);
            other_writes != writes
                && !reads.contains(&other_writes)
                && self.reads(other).all(|id| id != writes)
                && self.steps[other.start].weights != self.steps[member.start].weights
                && !(residual && self.is_residual(other))
        })
    }

    /// Where the input of step `at` is; none where it may lack a norm's factor, which a fused norm leaves to the product.
    fn place(&self, id: BufferId, at: usize) -> Option<Place> {
        let writer = self.steps[..at].iter().rfind(|step| step.writes.contains(&id))?;
        match self.planes.iter().position(|planes| planes.contains(&id)) {
            _ if self.written.contains(&id) => Some(Place::Rows),
            _ if matches!(writer.op, Op::RmsNorm { .. } | Op::Conv1dSilu) => None,
            Some(index) => Some(Place::Planes(index)),
            None => Some(Place::Own(id)),
        }
    }

    fn weight(&self, member: &Range<usize>) -> &crate::model::Weight {
        self.weights.get(self.steps[member.start].weights[0])
    }

    fn output(&self, member: &Range<usize>) -> BufferId {
        self.steps[member.end - 1].output()
    }

    /// What a member reads but what it writes itself.
    fn reads(&self, member: &Range<usize>) -> impl Iterator<Item = BufferId> {
        let own = self.steps[member.start].output();
        let more =
            self.steps[member.start + 1..member.end].iter().flat_map(|step| &step.reads).filter(move |id| **id != own);
        self.steps[member.start].reads.iter().chain(more).copied()
    }

    fn is_residual(&self, member: &Range<usize>) -> bool {
        self.steps[member.end - 1].op == Op::ValueResidual
    }

    /// Sets of buffers that are to be one: what a group writes, and what it reads of others.
    fn outputs(&self, groups: &[Group]) -> Vec<Vec<BufferId>> {
        let of = |group: &Group| group.members.iter().map(|member| self.output(member)).collect();
        let written: Vec<Vec<BufferId>> = groups.iter().map(of).collect();
        let mut sets: Vec<Vec<BufferId>> = Vec::new();
        let inputs = groups.iter().map(|group| {
            let inputs = group.members.iter().map(|member| self.steps[member.start].reads[0]);
            inputs.filter(|id| written.iter().flatten().any(|other| other == id)).collect()
        });
        for mut together in written.iter().cloned().chain(inputs).filter(|set: &Vec<_>| !set.is_empty()) {
            // All sets that share a buffer become one.
            sets.retain(|set| {
                let shares = set.iter().any(|id| together.contains(id));
                if shares {
                    together.extend(set);
                }
                !shares
            });
            together.sort_unstable_by_key(|id| id.0);
            together.dedup();
            sets.push(together);
        }
        sets
    }

    /// Whether a dispatch of decode could read and write one of some buffers: a step, or as many that hand on as are ever fused.
    fn reads_and_writes(&self, together: &[BufferId]) -> bool {
        (0..self.steps.len()).any(|first| {
            let mut own: Vec<BufferId> = Vec::new();
            let mut reads = false;
            self.steps[first..].iter().take(MAX_FUSED_STEPS).enumerate().any(|(number, step)| {
                let follows = number == 0 || !own.is_empty() && step.reads.iter().any(|id| own.contains(id));
                if !follows {
                    own.clear();
                    return false;
                }
                reads |= step.reads.iter().any(|id| together.contains(id) && !own.contains(id));
                own.extend(&step.writes);
                reads && own.iter().any(|id| together.contains(id))
            })
        })
    }
}

/// Whether step `at + 1` reads what step `at` writes, and no other step does.
pub fn hands_on(steps: &[&Step], at: usize) -> bool {
    let [first, second] = [steps[at], steps[at + 1]];
    second.reads.contains(&first.output())
        && is_read_only_by(steps, first.output(), at, |step| std::ptr::eq(step, second))
}

/// Whether all steps that read what step `at` wrote to a buffer are of one kind.
pub fn is_read_only_by(steps: &[&Step], id: BufferId, at: usize, kind: impl Fn(&Step) -> bool) -> bool {
    let after = &steps[at + 1..];
    // The step that writes it next may read it too.
    let end = after.iter().position(|step| step.writes.contains(&id)).map_or(after.len(), |next| next + 1);
    let reads = |step: &Step| {
        let adds_to_it = step.op == Op::MatMul { accumulate: true } && step.writes.contains(&id);
        step.reads.contains(&id) || adds_to_it
    };
    after[..end].iter().all(|step| !reads(step) || kind(step))
}
