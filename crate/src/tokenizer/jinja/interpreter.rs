//! Runs the statements of a template. Scopes, macros and everything that can change live here, named by number: so nothing
//! can hold itself, and all of it goes when the rendering ends.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::budget::{Charge, Meter, TextBuilder};
use super::printing::write_text;
use super::syntax::{Expr, For, Macro, Name, Statement, StatementKind, Step, Target};
use super::value::{List, Value};
use super::{Result, failure};

/// Evaluations within evaluations, macros and recursive loops included. Chat templates need some dozens; a stack of one
/// megabyte, which is what WebAssembly has, holds this many several times.
const MAX_DEPTH: usize = 200;

/// What a scope, macro, namespace, cycler or joiner costs.
const RECORD_BYTES: usize = 160;

/// What a name in a scope or namespace costs.
const NAME_BYTES: usize = 96;

#[derive(Debug)]
struct Scope<'t> {
    parent: Option<usize>,
    names: BTreeMap<&'t str, Value>,
    /// A macro made here still sees these names.
    is_kept: bool,
    charge: Charge,
}

#[derive(Debug)]
pub(super) struct Loop<'t> {
    pub(super) id: usize,
    pub(super) node: &'t For,
    /// The scope that the loop stands in.
    pub(super) scope: usize,
    pub(super) items: Rc<List>,
    pub(super) index: usize,
    pub(super) depth: usize,
    pub(super) changed: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct Interpreter<'t> {
    pub(super) meter: Meter,
    pub(super) now: Option<i64>,
    pub(super) mark: Option<char>,
    globals: BTreeMap<&'t str, Value>,
    scopes: Vec<Scope<'t>>,
    scope: usize,
    pub(super) macros: Vec<(&'t Macro, usize)>,
    pub(super) loops: Vec<Loop<'t>>,
    next_loop: usize,
    pub(super) namespaces: Vec<BTreeMap<Name, Value>>,
    pub(super) cyclers: Vec<(Rc<List>, usize)>,
    pub(super) joiners: Vec<(Value, bool)>,
    records: Charge,
    out: TextBuilder,
    depth: usize,
}

impl<'t> Interpreter<'t> {
    pub(super) fn new(meter: Meter, globals: BTreeMap<&'t str, Value>) -> Result<Self> {
        let (records, out) = (meter.charge(0)?, TextBuilder::new(&meter)?);
        let root = Scope { parent: None, names: BTreeMap::new(), is_kept: true, charge: meter.charge(RECORD_BYTES)? };
        Ok(Self {
            meter,
            now: None,
            mark: None,
            globals,
            scopes: vec![root],
            scope: 0,
            macros: Vec::new(),
            loops: Vec::new(),
            next_loop: 0,
            namespaces: Vec::new(),
            cyclers: Vec::new(),
            joiners: Vec::new(),
            records,
            out,
            depth: 0,
        })
    }

    pub(super) fn with_options(self, options: super::RenderOptions) -> Self {
        Self { now: options.now, mark: options.mark, ..self }
    }

    /// Runs a whole template, for a text of limited length.
    pub(super) fn run(mut self, body: &'t [Statement], most: usize) -> Result<String> {
        self.body(body)?;
        let text = self.out.into_string();
        if text.len() > most {
            return Err(failure(format!("the template makes a prompt of {} bytes, more than {most}", text.len())));
        }
        Ok(text)
    }

    /// Pays for something that stays to the end of the rendering.
    pub(super) fn pay_record(&mut self) -> Result<()> {
        self.records.grow(RECORD_BYTES)
    }

    /// One level deeper, and one step.
    pub(super) fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.meter.steps(1)?;
        if self.depth == MAX_DEPTH {
            return Err(failure("the template calls itself too deeply (recursion limit)"));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    // Scopes.

    fn open_scope(&mut self, parent: usize) -> Result<usize> {
        let charge = self.meter.charge(RECORD_BYTES)?;
        self.scopes.push(Scope { parent: Some(parent), names: BTreeMap::new(), is_kept: false, charge });
        Ok(self.scopes.len() - 1)
    }

    fn close_scope(&mut self, scope: usize) {
        while self.scopes.len() > scope && self.scopes.last().is_some_and(|last| !last.is_kept) {
            self.scopes.pop();
        }
        if let Some(closed) = self.scopes.get_mut(scope)
            && !closed.is_kept
        {
            closed.names.clear();
        }
    }

    /// Runs something in a scope of its own below `parent`.
    pub(super) fn scoped<T>(&mut self, parent: usize, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let scope = self.open_scope(parent)?;
        let before = std::mem::replace(&mut self.scope, scope);
        let result = run(self);
        self.scope = before;
        self.close_scope(scope);
        result
    }

    pub(super) fn define(&mut self, name: &'t str, value: Value) -> Result<()> {
        let scope = &mut self.scopes[self.scope];
        if scope.names.insert(name, value).is_none() {
            scope.charge.grow(NAME_BYTES)?;
        }
        Ok(())
    }

    /// A name that a scope or the context has.
    pub(super) fn look_up(&self, name: &str) -> Result<Option<Value>> {
        let mut scope = Some(self.scope);
        while let Some(found) = scope.and_then(|scope| self.scopes.get(scope)) {
            if let Some(value) = found.names.get(name) {
                return Ok(Some(value.clone()));
            }
            self.meter.steps(1)?;
            scope = found.parent;
        }
        Ok(self.globals.get(name).cloned())
    }

    pub(super) fn make_macro(&mut self, node: &'t Macro) -> Result<Value> {
        self.pay_record()?;
        let mut scope = Some(self.scope);
        while let Some(kept) = scope.and_then(|scope| self.scopes.get_mut(scope)).filter(|scope| !scope.is_kept) {
            kept.is_kept = true;
            scope = kept.parent;
        }
        self.macros.push((node, self.scope));
        Ok(Value::Macro(self.macros.len() - 1))
    }

    /// What is written while `run` runs, as a text.
    pub(super) fn captured<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<Value> {
        let out = TextBuilder::new(&self.meter)?;
        let before = std::mem::replace(&mut self.out, out);
        let result = run(self);
        let written = std::mem::replace(&mut self.out, before);
        result.map(|_| written.finish())
    }

    // Statements.

    pub(super) fn body(&mut self, body: &'t [Statement]) -> Result<Flow> {
        for statement in body {
            let flow = self.nested(|interpreter| interpreter.statement(statement));
            match flow.map_err(|failure| failure.in_line(statement.line))? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, statement: &'t Statement) -> Result<Flow> {
        match &statement.kind {
            StatementKind::Text(text) => self.out.push_str(text)?,
            StatementKind::Output(value) => {
                let value = self.evaluate(value)?;
                write_text(&value, &mut self.out)?;
            }
            StatementKind::If { branches, otherwise } => return self.branches(branches, otherwise),
            StatementKind::For(node) => return self.for_statement(node),
            StatementKind::Set { target, value } => {
                let value = self.evaluate(value)?;
                self.assign(target, value)?;
            }
            StatementKind::SetBlock { target, filters, body } => {
                let value = self.filtered_body(filters, body)?;
                self.assign(target, value)?;
            }
            StatementKind::Macro(node) => {
                let value = self.make_macro(node)?;
                self.define(&node.name, value)?;
            }
            StatementKind::Call { call, caller } => {
                let value = self.call_with_caller(call, caller)?;
                write_text(&value, &mut self.out)?;
            }
            StatementKind::FilterBlock { filters, body } => {
                let value = self.filtered_body(filters, body)?;
                write_text(&value, &mut self.out)?;
            }
            StatementKind::With { names, body } => return self.with(names, body),
            StatementKind::Scoped(body) => {
                return self.scoped(self.scope, |interpreter| interpreter.body(body));
            }
            StatementKind::Autoescape { enabled, body } => {
                if self.evaluate(enabled)?.is_true() {
                    return Err(failure("`autoescape` is not supported"));
                }
                return self.scoped(self.scope, |interpreter| interpreter.body(body));
            }
            StatementKind::Do(value) => {
                self.evaluate(value)?;
            }
            StatementKind::Break => return Ok(Flow::Break),
            StatementKind::Continue => return Ok(Flow::Continue),
            StatementKind::NeedsLoader(name) => {
                return Err(failure(format!("`{name}` needs other templates, and there are none")));
            }
        }
        Ok(Flow::Next)
    }

    fn branches(&mut self, branches: &'t [(Expr, Vec<Statement>)], otherwise: &'t [Statement]) -> Result<Flow> {
        for (condition, body) in branches {
            if self.evaluate(condition)?.is_true() {
                return self.body(body);
            }
        }
        self.body(otherwise)
    }

    fn with(&mut self, names: &'t [(Target, Expr)], body: &'t [Statement]) -> Result<Flow> {
        let mut values = Vec::with_capacity(names.len());
        for (_, value) in names {
            values.push(self.evaluate(value)?);
        }
        self.scoped(self.scope, |interpreter| {
            for ((target, _), value) in names.iter().zip(values) {
                interpreter.assign(target, value)?;
            }
            interpreter.body(body)
        })
    }

    fn filtered_body(&mut self, filters: &'t [Step], body: &'t [Statement]) -> Result<Value> {
        let text =
            self.captured(|interpreter| interpreter.scoped(interpreter.scope, |interpreter| interpreter.body(body)))?;
        self.steps(text, filters)
    }

    fn assign(&mut self, target: &'t Target, value: Value) -> Result<()> {
        match target {
            Target::Name(name) => self.define(name, value),
            Target::Attribute(name, attribute) => {
                let Some(Value::Namespace(namespace)) = self.look_up(name)? else {
                    return Err(failure(format!("`{name}` is no namespace, and only those have attributes to set")));
                };
                self.set_attribute(namespace, attribute, value)
            }
            Target::Tuple(targets) => {
                let items = self.iterate(&value)?;
                if items.items.len() != targets.len() {
                    let (found, wanted) = (items.items.len(), targets.len());
                    return Err(failure(format!("{found} values cannot be unpacked into {wanted} names")));
                }
                targets.iter().zip(&items.items).try_for_each(|(target, item)| self.assign(target, item.clone()))
            }
        }
    }

    pub(super) fn set_attribute(&mut self, namespace: usize, name: &Name, value: Value) -> Result<()> {
        let names = &mut self.namespaces[namespace];
        if names.insert(name.clone(), value).is_none() {
            self.records.grow(NAME_BYTES)?;
        }
        Ok(())
    }

    // Loops.

    fn for_statement(&mut self, node: &'t For) -> Result<Flow> {
        let items = self.evaluate(&node.items)?;
        self.run_loop(node, &items, self.scope, 0)
    }

    /// Runs a loop over what `items` holds. `scope` is the one that it stands in.
    pub(super) fn run_loop(&mut self, node: &'t For, items: &Value, scope: usize, depth: usize) -> Result<Flow> {
        let mut items = self.iterate(items)?;
        if let Some(condition) = &node.condition {
            items = self.filter_items(node, condition, &items, scope)?;
        }
        if items.items.is_empty() {
            return self.scoped(scope, |interpreter| interpreter.body(&node.otherwise));
        }
        let id = self.next_loop;
        self.next_loop += 1;
        let _charge = self.meter.charge(RECORD_BYTES)?;
        let place = self.loops.len();
        self.loops.push(Loop { id, node, scope, items: items.clone(), index: 0, depth, changed: None });
        for (index, item) in items.items.iter().enumerate() {
            self.loops[place].index = index;
            self.meter.steps(1)?;
            let flow = self.scoped(scope, |interpreter| {
                interpreter.define("loop", Value::Loop(id))?;
                interpreter.assign(&node.target, item.clone())?;
                interpreter.body(&node.body)
            })?;
            if flow == Flow::Break {
                break;
            }
        }
        self.loops.truncate(place);
        Ok(Flow::Next)
    }

    fn filter_items(&mut self, node: &'t For, condition: &'t Expr, items: &Rc<List>, scope: usize) -> Result<Rc<List>> {
        let mut kept = super::budget::ListBuilder::new(&self.meter)?;
        for item in &items.items {
            let is_kept = self.scoped(scope, |interpreter| {
                interpreter.assign(&node.target, item.clone())?;
                Ok(interpreter.evaluate(condition)?.is_true())
            })?;
            if is_kept {
                kept.push(item.clone())?;
            }
        }
        let kept = kept.finish()?;
        self.iterate(&kept)
    }
}
