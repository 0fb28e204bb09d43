//! The longest token that a byte string begins with: a trie over the bytes of a vocabulary.
//!
//! Nodes are in breadth-first order, so that the children of a node are neighbours and their labels, which are sorted, lie
//! side by side. A node takes nine bytes, and there are at most as many as the tokens have bytes. It is built from sorted
//! tokens level by level, without a search for room as a double array needs it: the time is linear for any vocabulary.

/// A node without a token.
const NONE: u32 = u32::MAX;

const ROOT: u32 = 0;

/// Up to this many children are looked through one by one: they are in one cache line, and a search by halves would wait
/// for each of its branches.
const FEW: usize = 8;

#[derive(Debug, Clone, Copy)]
struct Node {
    /// The first of its children, which end where those of the next node begin.
    children: u32,
    /// The token that ends here, or [`NONE`].
    token: u32,
}

/// Tokens by their bytes.
#[derive(Debug)]
pub(super) struct ByteTrie {
    /// All nodes, and after the last one a place that only ends its children.
    nodes: Vec<Node>,
    /// By node: the byte that leads to it.
    labels: Vec<u8>,
    /// The root's children by byte: nearly every byte has one. 0 where there is none.
    first: [u32; 256],
}

impl ByteTrie {
    /// The trie of tokens, `(bytes, id)`, which are sorted by their bytes, distinct and not empty, with fewer than 2^32 bytes
    /// in all.
    pub(super) fn new(sorted: &[(&[u8], u32)]) -> Self {
        let mut nodes = vec![Node { children: 0, token: NONE }];
        let mut labels = vec![0];
        // By node: the tokens below it, a range of `sorted`.
        let mut below = vec![(0, sorted.len() as u32)];
        let (mut node, mut depth, mut level_end) = (0, 0, 1);
        while node < nodes.len() {
            if node == level_end {
                (depth, level_end) = (depth + 1, nodes.len());
            }
            let (mut from, end) = (below[node].0 as usize, below[node].1 as usize);
            nodes[node].children = nodes.len() as u32;
            if from < end && sorted[from].0.len() == depth {
                nodes[node].token = sorted[from].1;
                from += 1;
            }
            while from < end {
                let byte = sorted[from].0[depth];
                let next = from + sorted[from..end].partition_point(|(bytes, _)| bytes[depth] == byte);
                nodes.push(Node { children: 0, token: NONE });
                labels.push(byte);
                below.push((from as u32, next as u32));
                from = next;
            }
            node += 1;
        }
        nodes.push(Node { children: nodes.len() as u32, token: NONE });
        let mut first = [ROOT; 256];
        for child in nodes[0].children..nodes[1].children {
            first[usize::from(labels[child as usize])] = child;
        }
        Self { nodes, labels, first }
    }

    /// The longest token that `bytes` begins with, and its length; `None` where none does.
    pub(super) fn longest(&self, bytes: &[u8]) -> Option<(u32, usize)> {
        let mut longest = None;
        self.walk(bytes, |token, length| longest = Some((token, length)));
        longest
    }

    /// Whether bytes after the end of `bytes` could make the token longer that it begins with.
    pub(super) fn may_grow(&self, bytes: &[u8]) -> bool {
        let (node, length) = self.walk(bytes, |_, _| {});
        length == bytes.len() && !self.children(node).is_empty()
    }

    /// Follows `bytes` as far as there are nodes, telling each token on the way with its length; the last node and its depth.
    fn walk(&self, bytes: &[u8], mut token: impl FnMut(u32, usize)) -> (u32, usize) {
        let (mut node, mut length) = (ROOT, 0);
        while let Some(&byte) = bytes.get(length) {
            let child = if node == ROOT { self.first[usize::from(byte)] } else { self.child(node, byte) };
            if child == ROOT {
                break;
            }
            (node, length) = (child, length + 1);
            let id = self.nodes[node as usize].token;
            if id != NONE {
                token(id, length);
            }
        }
        (node, length)
    }

    fn children(&self, node: u32) -> std::ops::Range<usize> {
        self.nodes[node as usize].children as usize..self.nodes[node as usize + 1].children as usize
    }

    /// A node's child by its label; the root, which is no child, where there is none.
    fn child(&self, node: u32, byte: u8) -> u32 {
        let children = self.children(node);
        let labels = &self.labels[children.clone()];
        let place = match labels.len() {
            ..=FEW => labels.iter().position(|&label| label == byte),
            _ => labels.binary_search(&byte).ok(),
        };
        place.map_or(ROOT, |place| (children.start + place) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trie(tokens: &[&str]) -> ByteTrie {
        let mut sorted: Vec<(&[u8], u32)> = tokens.iter().zip(0..).map(|(text, id)| (text.as_bytes(), id)).collect();
        sorted.sort_unstable();
        ByteTrie::new(&sorted)
    }

    #[test]
    fn the_longest_token_is_found_and_not_what_only_begins_one() {
        let trie = trie(&["a", "ab", "abcd", "b", "ba"]);
        for (text, expected) in [
            ("abcd", Some((2, 4))),
            ("abcx", Some((1, 2))),
            ("abc", Some((1, 2))),
            ("a", Some((0, 1))),
            ("bab", Some((4, 2))),
            ("c", None),
            ("", None),
        ] {
            assert_eq!(trie.longest(text.as_bytes()), expected, "{text:?}");
        }
        for (text, may_grow) in [("abc", true), ("abcd", false), ("abx", false), ("a", true), ("ba", false), ("", true)]
        {
            assert_eq!(trie.may_grow(text.as_bytes()), may_grow, "{text:?}");
        }
        assert_eq!(ByteTrie::new(&[]).longest(b"a"), None);
    }

    #[test]
    fn a_node_has_any_number_of_children() {
        for count in [1, FEW, FEW + 1, 128, 256] {
            let texts: Vec<[u8; 2]> = (0..count).map(|n| [7, (n * 256 / count) as u8]).collect();
            let sorted: Vec<(&[u8], u32)> = texts.iter().zip(0..).map(|(text, id)| (text.as_slice(), id)).collect();
            let trie = ByteTrie::new(&sorted);
            for byte in 0..=255 {
                let expected = texts.iter().position(|text| text[1] == byte).map(|id| (id as u32, 2));
                assert_eq!(trie.longest(&[7, byte, 7]), expected, "{count} {byte}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn it_finds_what_a_search_of_all_tokens_finds(
            tokens in proptest::collection::btree_set("[abé]{1,6}", 0..30),
            text in "[abé]{0,20}",
        ) {
            let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
            let trie = trie(&tokens);
            for at in 0..=text.len() {
                let rest = &text.as_bytes()[at..];
                let all = tokens.iter().zip(0..).filter(|(token, _)| rest.starts_with(token.as_bytes()));
                let expected = all.max_by_key(|(token, _)| token.len()).map(|(token, id)| (id, token.len()));
                proptest::prop_assert_eq!(trie.longest(rest), expected);
                let grows = tokens.iter().any(|token| token.len() > rest.len() && token.as_bytes().starts_with(rest));
                proptest::prop_assert_eq!(trie.may_grow(rest), grows);
            }
        }
    }
}
