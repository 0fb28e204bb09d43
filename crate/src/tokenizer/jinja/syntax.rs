//! The syntax tree of a template. Chains (`a.b.c`, `a + b + c`, `x | f | g`, `elif`) are flat, so its height is bounded by how
//! deep the parser goes.

use std::rc::Rc;

pub(super) type Name = Rc<str>;
pub(super) type Body = Vec<Statement>;

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) line: u32,
    pub(super) kind: StatementKind,
}

#[derive(Debug)]
pub(super) enum StatementKind {
    Text(String),
    Output(Expr),
    If {
        branches: Vec<(Expr, Body)>,
        otherwise: Body,
    },
    For(Box<For>),
    Set {
        target: Target,
        value: Expr,
    },
    /// `{% set x | filters %}…{% endset %}`
    SetBlock {
        target: Target,
        filters: Vec<Step>,
        body: Body,
    },
    Macro(Macro),
    /// `{% call(a) m() %}…{% endcall %}`: the body is the macro `caller` of the called one.
    Call {
        call: Expr,
        caller: Macro,
    },
    FilterBlock {
        filters: Vec<Step>,
        body: Body,
    },
    With {
        names: Vec<(Target, Expr)>,
        body: Body,
    },
    /// A body with a scope of its own: `block`, `generation`.
    Scoped(Body),
    Autoescape {
        enabled: Expr,
        body: Body,
    },
    Do(Expr),
    Break,
    Continue,
    /// `include` and its like, which need other templates: an error where it is reached.
    NeedsLoader(Name),
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) items: Expr,
    pub(super) condition: Option<Expr>,
    pub(super) recursive: bool,
    pub(super) body: Body,
    pub(super) otherwise: Body,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: Name,
    pub(super) parameters: Vec<(Name, Option<Expr>)>,
    pub(super) body: Body,
}

/// What is assigned to.
#[derive(Debug)]
pub(super) enum Target {
    Name(Name),
    Tuple(Vec<Target>),
    Attribute(Name, Name),
}

#[derive(Debug)]
pub(super) enum Expr {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Name),
    Name(Name),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// An operand and what follows it, from left to right.
    Chain(Box<Expr>, Vec<Step>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    /// Operators of one precedence, from left to right.
    Arithmetic(Box<Expr>, Vec<(Operator, Expr)>),
    Concat(Vec<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// `a < b <= c` compares neighbours, as in Python.
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    If {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
}

#[derive(Debug)]
pub(super) enum Step {
    Attribute(Name),
    Item(Expr),
    Slice(Box<[Option<Expr>; 3]>),
    Call(Arguments),
    Filter(Name, Arguments),
    Test { name: Name, arguments: Arguments, negated: bool },
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(Name, Expr)>,
    /// `*args`
    pub(super) more: Option<Box<Expr>>,
    /// `**kwargs`
    pub(super) more_named: Option<Box<Expr>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}
