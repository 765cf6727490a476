//! A directed graph of dependencies: start order and cycles. Nothing recurses, because a chain of
//! ten thousand applications must not need ten thousand stack frames.

use super::world::Id;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Edges from an application to those that it depends on.
pub struct Graph {
    edges: Vec<Vec<Id>>,
}

impl Graph {
    /// A graph of `size` nodes without edges.
    pub fn new(size: usize) -> Self {
        Self {
            edges: vec![Vec::new(); size],
        }
    }

    /// Adds a dependency of `from` on `to`.
    pub fn add(&mut self, from: Id, to: Id) {
        self.edges[from.index()].push(to);
    }

    /// Sorts the edges and removes duplicates, so that results do not depend on the order of
    /// insertion.
    pub fn normalize(&mut self) {
        for edges in &mut self.edges {
            edges.sort_unstable();
            edges.dedup();
        }
    }

    /// The dependencies of `node`.
    pub fn dependencies(&self, node: Id) -> &[Id] {
        &self.edges[node.index()]
    }

    /// Orders `nodes` so that dependencies come first, otherwise by name. Nodes on cycles, and
    /// those that depend on them, are left out.
    pub fn order(&self, nodes: &[Id]) -> Vec<Id> {
        let mut missing = vec![0_usize; self.edges.len()];
        let mut chosen = vec![false; self.edges.len()];
        let mut dependents = vec![Vec::new(); self.edges.len()];
        for node in nodes {
            chosen[node.index()] = true;
        }
        for &node in nodes {
            for dependency in self
                .dependencies(node)
                .iter()
                .filter(|id| chosen[id.index()])
            {
                missing[node.index()] += 1;
                dependents[dependency.index()].push(node);
            }
        }
        let ready = nodes.iter().filter(|node| missing[node.index()] == 0);
        let mut ready: BinaryHeap<Reverse<Id>> = ready.map(|&node| Reverse(node)).collect();
        let mut order = Vec::with_capacity(nodes.len());
        while let Some(Reverse(node)) = ready.pop() {
            order.push(node);
            for dependent in &dependents[node.index()] {
                missing[dependent.index()] -= 1;
                if missing[dependent.index()] == 0 {
                    ready.push(Reverse(*dependent));
                }
            }
        }
        order
    }

    /// A shortest cycle, sorted, through the greatest node that shares a cycle with a node for
    /// which `relevant` holds. Edges from a node to itself do not count.
    pub fn cycle(&self, relevant: impl Fn(Id) -> bool) -> Option<Vec<Id>> {
        let components = self.components();
        let mut size = vec![0_usize; self.edges.len()];
        let mut counts = vec![false; self.edges.len()];
        for (node, component) in components.iter().enumerate() {
            size[*component] += 1;
            counts[*component] |= relevant(Id::new(node));
        }
        let on_cycle = |node: &usize| size[components[*node]] > 1 && counts[components[*node]];
        let greatest = (0..self.edges.len()).rev().find(on_cycle)?;
        Some(self.shortest_cycle(Id::new(greatest), &components))
    }

    /// Searches breadth first from `start` back to it, within its strongly connected component.
    fn shortest_cycle(&self, start: Id, components: &[usize]) -> Vec<Id> {
        let inside = components[start.index()];
        let mut came_from = vec![None; self.edges.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for &next in self.dependencies(node) {
                if next == node || components[next.index()] != inside {
                    continue;
                }
                if next == start {
                    return path_back(node, &came_from);
                }
                if came_from[next.index()].is_none() {
                    came_from[next.index()] = Some(node);
                    queue.push_back(next);
                }
            }
        }
        vec![start]
    }

    /// The strongly connected component of every node (Tarjan 1972, with an explicit stack).
    fn components(&self) -> Vec<usize> {
        let mut search = Search::new(self.edges.len());
        for node in 0..self.edges.len() {
            if search.index[node] == UNSEEN {
                search.from(node, &self.edges);
            }
        }
        search.component
    }
}

fn path_back(end: Id, came_from: &[Option<Id>]) -> Vec<Id> {
    let mut path = vec![end];
    let mut node = end;
    while let Some(before) = came_from[node.index()] {
        path.push(before);
        node = before;
    }
    path.sort_unstable();
    path
}

const UNSEEN: usize = usize::MAX;

struct Search {
    /// The order of discovery.
    index: Vec<usize>,
    /// The earliest node that is known to be reachable, in order of discovery.
    low: Vec<usize>,
    /// The component of a node; `UNSEEN` or `None` as long as it is not known.
    component: Vec<usize>,
    /// The nodes whose component is not known yet.
    open: Vec<usize>,
    seen: usize,
    components: usize,
}

impl Search {
    fn new(size: usize) -> Self {
        Self {
            index: vec![UNSEEN; size],
            low: vec![UNSEEN; size],
            component: vec![UNSEEN; size],
            open: Vec::new(),
            seen: 0,
            components: 0,
        }
    }

    fn from(&mut self, root: usize, edges: &[Vec<Id>]) {
        self.discover(root);
        // A node, and the number of its edges that have been followed.
        let mut path = vec![(root, 0)];
        while let Some((node, followed)) = path.last_mut() {
            let node = *node;
            if let Some(next) = edges[node].get(*followed) {
                *followed += 1;
                let next = next.index();
                if self.index[next] == UNSEEN {
                    self.discover(next);
                    path.push((next, 0));
                } else if self.component[next] == UNSEEN {
                    self.low[node] = self.low[node].min(self.index[next]);
                }
                continue;
            }
            path.pop();
            if let Some((before, _)) = path.last() {
                self.low[*before] = self.low[*before].min(self.low[node]);
            }
            if self.low[node] == self.index[node] {
                self.close(node);
            }
        }
    }

    fn discover(&mut self, node: usize) {
        self.index[node] = self.seen;
        self.low[node] = self.seen;
        self.seen += 1;
        self.open.push(node);
    }

    fn close(&mut self, node: usize) {
        while let Some(member) = self.open.pop() {
            self.component[member] = self.components;
            if member == node {
                break;
            }
        }
        self.components += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(u32, u32)]) -> Graph {
        let mut graph = Graph::new(6);
        for (from, to) in edges {
            graph.add(Id::new(*from as usize), Id::new(*to as usize));
        }
        graph.normalize();
        graph
    }

    fn numbers(ids: Vec<Id>) -> Vec<usize> {
        ids.into_iter().map(Id::index).collect()
    }

    #[test]
    fn dependencies_come_first_and_names_break_ties() {
        let all: Vec<Id> = (0..6).map(Id::new).collect();
        let order = graph(&[(0, 5), (5, 3), (1, 3)]).order(&all);
        assert_eq!(numbers(order), [2, 3, 1, 4, 5, 0]);
    }

    #[test]
    fn a_shortest_cycle_through_the_greatest_is_found() {
        let cycle = graph(&[(0, 1), (1, 0), (2, 3), (3, 4), (4, 2), (3, 2)]).cycle(|_| true);
        assert_eq!(cycle.map(numbers), Some(vec![2, 3, 4]));
    }

    #[test]
    fn a_cycle_that_is_not_relevant_is_none() {
        let relevant = |id: Id| id.index() == 5;
        assert!(graph(&[(0, 1), (1, 0), (5, 0)]).cycle(relevant).is_none());
        assert!(graph(&[(0, 1), (1, 5), (5, 0)]).cycle(relevant).is_some());
    }

    #[test]
    fn an_edge_to_itself_is_no_cycle() {
        assert!(graph(&[(2, 2)]).cycle(|_| true).is_none());
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_needs_no_stack() {
        let size = 100_000;
        let mut graph = Graph::new(size);
        for node in 1..size {
            graph.add(Id::new(node - 1), Id::new(node));
        }
        let all: Vec<Id> = (0..size).map(Id::new).collect();
        assert_eq!(graph.order(&all).len(), size);
        assert!(graph.cycle(|_| true).is_none());
        graph.add(Id::new(size - 1), Id::new(0));
        assert_eq!(graph.cycle(|_| true).unwrap().len(), size);
    }
}
